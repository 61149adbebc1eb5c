#!/bin/sh
# saving.sh - saving a state against writing as many bytes: sh tests/bench/saving.sh FOLDER [MEGABYTES [ROUNDS]]
set -eu
root=$(dirname "$0")/../..
sh "$root/tests/bench/build.sh" icl_shared
cc -std=c11 -O2 -D_GNU_SOURCE -I "$root/core" -o "$root/build/saving" "$root/tests/bench/saving.c" \
  -L "$root/build/release" -licl -Wl,-rpath,"$(realpath "$root/build/release")"
exec "$root/build/saving" "$@"
