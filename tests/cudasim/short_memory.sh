#!/bin/sh
# short_memory.sh - does a training that has to compute values twice, for want of memory, end as one that keeps them?
# sh tests/cudasim/short_memory.sh ICL
set -u
icl=$1
ample=$(mktemp) short=$(mktemp) said=$(mktemp)
trap 'rm -f "$ample" "$short" "$said"' EXIT
passed=0
failed=0

# train MEMORY OUTPUT: a training on a device with so many MiB.
train() {
  CUDASIM_MEMORY=$1 "$icl" tests/cuda/train.lua --device cuda --options depth=8 --steps 2 --batch 192 --deterministic \
    >"$2" 2>"$said"
}

# result NAME STATUS: counts a check, which has passed with status 0.
result() {
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $1"
    head -n 3 "$said"
  fi
}

train 8192 "$ample" && ! grep -q "computed twice" "$said"
result "with enough memory all is kept" $?
train 170 "$short" && grep -q "computed twice" "$said"
result "with less, values are computed twice, which is told" $?
cmp -s "$ample" "$short"
result "with the same results" $?
! train 130 "$short" && grep -q "a batch of about" "$said"
result "with too little, the batch that fits is told" $?
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
