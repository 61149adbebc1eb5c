#!/bin/sh
# build.sh - builds targets of the release preset, quietly: sh tests/bench/build.sh TARGET...
set -eu
cd "$(dirname "$0")/../.."

sh third_party/setup.sh
mkdir -p build
build() { cmake --preset release && cmake --build --preset release -j "$(nproc)" --target "$@"; }
if ! build "$@" >build/bench.log 2>&1; then
  tail -n 40 build/bench.log >&2
  echo "build.sh: the build failed; all of its output is in build/bench.log" >&2
  exit 1
fi
