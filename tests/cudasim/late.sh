#!/bin/sh
# late.sh - is the op named whose kernel fails behind the host's back? sh tests/cudasim/late.sh ICL
set -u
passed=0
failed=0

# expect WORDS VARIABLE=VALUE...: so many steps of a training end with words on what failed.
expect() {
  words=$1
  shift
  if said=$(env "$@" "$icl" tests/cuda/train.lua --device cuda --options depth=8 --steps 3 --batch 4 2>&1); then
    echo "failed: no error with $*"
    failed=$((failed + 1))
  elif printf '%s\n' "$said" | grep -q "$words"; then
    passed=$((passed + 1))
  else
    echo "failed: not '$words' with $*:"
    printf '%s\n' "$said" | head -n 3
    failed=$((failed + 1))
  fi
}

icl=$1
expect "CUDA_LAUNCH_BLOCKING=1 names it" CUDASIM_BAD=bn_sums
expect "cuda: bn_coefficients in stage1.block1.bn1: an illegal memory" CUDASIM_BAD=bn_sums CUDA_LAUNCH_BLOCKING=1
expect "cuda: prepare in conv: an illegal memory" CUDASIM_BAD=transposes CUDA_LAUNCH_BLOCKING=1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
