#!/bin/sh
# refused.sh - does a program of which one allocation or launch is refused end as one that has all? Where that came too
# late for a launch to be done again, it must say so. sh tests/cudasim/refused.sh ICL PROGRAM MOST [late]: the first MOST
# of each are refused, one a run, and launches with the next one, too; late: some of them come too late.
set -u
icl=$1
program=$2
most=$3
whole=$(mktemp) other=$(mktemp) said=$(mktemp)
trap 'rm -f "$whole" "$other" "$said"' EXIT
passed=0
failed=0
lost=0

# attempt VARIABLE=NUMBER: a run of which that one is refused.
attempt() {
  if env "$1" "$icl" "$program" --device cuda >"$other" 2>"$said" && cmp -s "$whole" "$other"; then
    passed=$((passed + 1))
  elif [ "${1%=*}" = CUDASIM_REFUSE_LAUNCH ] && grep -q "values that it had are lost" "$said"; then
    passed=$((passed + 1))
    lost=$((lost + 1))
  else
    failed=$((failed + 1))
    echo "failed: another end with $1:"
    diff "$whole" "$other" | head -n 4
    head -n 3 "$said"
  fi
}

"$icl" "$program" --device cuda >"$whole"
for number in $(seq "$most"); do
  attempt "CUDASIM_REFUSE=$number"
  attempt "CUDASIM_REFUSE_LAUNCH=$number"
  attempt "CUDASIM_REFUSE_LAUNCH=$number,1"
done
if [ "$lost" -eq 0 ] && [ "${4:-}" = late ]; then
  failed=$((failed + 1))
  echo "failed: no launch came too late"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
