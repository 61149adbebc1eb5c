#!/bin/sh
# test_gpu_script.sh - a rehearsal of pack.sh and gpu.sh on the device for tests: sh tests/cuda/test_gpu_script.sh BUILD
set -u
cd "$(dirname "$0")/../.."
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

check() { # what, command that must succeed
  what=$1
  shift
  if "$@" >"$folder/log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $what"
    tail -n 20 "$folder/log"
  fi
}

# What the packed programs link lies beside them, but for the compilers' own libraries.
finds_its_own() {
  outside=$(for file in "$1"/build/release/icl "$1"/build/release/lib/* "$1"/build/release/tests/*; do ldd "$file"; done |
    grep -E '=> (/|not found)' | grep -vF "$1" | grep -vE 'lib(c|m|dl|pthread|rt|resolv|stdc\+\+|gcc_s)\.so')
  echo "$outside"
  [ -z "$outside" ]
}

rehearse() { # device, stages: the report of a run in the packed folder
  device=$1
  shift
  OUT=$folder/out GPU_DEVICE=$device ICL_ORACLE=tests/golden/data sh "$folder/pack/tests/cuda/gpu.sh" --short "$@"
}

says() { # words that a file must hold
  for word; do
    grep -qF -- "$word" "$folder/out/report.txt" || { echo "the report does not say: $word" && return 1; }
  done
}

fails() { ! "$@"; }

check "packing" sh tests/cuda/pack.sh "$folder/pack" "$build" --without-plugin
check "a plug-in that is missing is an error" fails sh tests/cuda/pack.sh "$folder/other" /
check "libraries" finds_its_own "$folder/pack"
check "a run" rehearse far machine ops golden half python
check "its report" says "far:0" "golden-models " "golden-bf16 " "ops  " "python-export " "python-tensorboard " " ok " "passed, 0 failed" "all of it took"
check "a run that fails" fails rehearse nowhere ops golden
check "its report names what failed" says "--- ops: FAILED" "--- golden-models: FAILED" "nowhere" "all of it took"
check "logs" tar -tzf "$folder/out/logs.tar.gz" logs/ops.log
doubles=$PWD/build/release/tests/cudasim-plain
if [ -e "$doubles/libicl_cuda.so" ]; then
  export ICL_PLUGINS="$doubles" ICL_CUDA_LIBRARIES="$doubles"
  check "a run on the doubles of NVIDIA's libraries" rehearse cuda machine half
  check "its report" says "Simulated H100" "golden-bf16 " "passed, 0 failed"
else
  echo "skipped: no doubles of NVIDIA's libraries in build/release"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
