#!/bin/sh
# bench.sh - builds bench_kernels, which measures the kernels of the CUDA backend on a GPU.
#
#   sh tests/cuda/bench.sh FOLDER [ARCHITECTURE]    FOLDER/bench_kernels, for sm_90 if no other is named
#
# The program holds the CUDA runtime, so it runs on a machine that has but a driver. nvcc is looked for in PATH.
set -eu
cd "$(dirname "$0")/../.."
folder=$1
architecture=${2:-90}
mkdir -p "$folder"
objects=""
compilers=""
for source in core/backend/cuda/kernels/*.cu; do
  object=$folder/$(basename "$source" .cu).o
  nvcc -std=c++17 -O3 -arch="sm_$architecture" -I core -c "$source" -o "$object" &
  compilers="$compilers $!"
  objects="$objects $object"
done
for compiler in $compilers; do
  wait "$compiler"
done
include=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")/include
for source in bench_kernels bench_cases bench_many; do
  cc -std=c11 -O2 -Wall -Wextra -I core -isystem "$include" -c "tests/cuda/$source.c" -o "$folder/$source.o"
  objects="$objects $folder/$source.o"
done
# shellcheck disable=SC2086
nvcc -arch="sm_$architecture" -cudart static -Xcompiler -static-libstdc++,-static-libgcc $objects -o "$folder/bench_kernels"
