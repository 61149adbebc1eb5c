#!/bin/sh
# twice.sh - do two runs of a command print the same? sh tests/cuda/twice.sh COMMAND...
set -u
first=$(mktemp) second=$(mktemp)
trap 'rm -f "$first" "$second"' EXIT
"$@" >"$first" || { tail -n 5 "$first" && echo "0 passed, 1 failed" && exit 1; }
"$@" >"$second" || { tail -n 5 "$second" && echo "0 passed, 1 failed" && exit 1; }
if cmp -s "$first" "$second"; then
  tail -n 2 "$first"
  echo "1 passed, 0 failed"
else
  echo "two runs differ:"
  diff "$first" "$second" | head -n 8
  echo "0 passed, 1 failed"
  exit 1
fi
