#!/bin/sh
# kernels.sh - how fast the vector kernels are, against copying as much memory: sh tests/bench/kernels.sh [OP...]
set -eu
cd "$(dirname "$0")/../.."
sh tests/bench/build.sh test_ops
cc -std=c11 -O3 -march=native -o build/copy_rate tests/bench/copy_rate.c
exec /usr/bin/python3 tests/bench/kernels.py build/release/tests/test_ops build/copy_rate "$@"
