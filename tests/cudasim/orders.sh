#!/bin/sh
# orders.sh - does a command print the same in each order of threads, blocks and streams? sh tests/cudasim/orders.sh
# COMMAND...
set -u
first=$(mktemp) other=$(mktemp)
trap 'rm -f "$first" "$other"' EXIT
passed=0
failed=0
if ! CUDASIM_ORDER=forward CUDASIM_STREAMS=lazy "$@" >"$first"; then
  tail -n 5 "$first"
  echo "0 passed, 1 failed"
  exit 1
fi
for way in "forward eager" "reverse lazy" "random random"; do
  if CUDASIM_ORDER=${way% *} CUDASIM_STREAMS=${way#* } "$@" >"$other" && cmp -s "$first" "$other"; then
    passed=$((passed + 1))
  else
    echo "failed: another output with threads $way:"
    diff "$first" "$other" | head -n 8
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
