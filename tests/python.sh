#!/bin/sh
# python.sh - prints the Python interpreter that the tests in Python run with: one of a virtual environment in
# build/python, with the packages that files of icl are read back with; the plain python3 where that cannot be made, and
# then the tests that need a package say so and are skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
packages="numpy safetensors tensorboard onnx onnxruntime pillow"
place=$PWD/build/python

# A finished environment holds the list that it was made from.
if [ "$(cat "$place/packages" 2>/dev/null)" != "$packages" ]; then
  mkdir -p build
  rm -rf "$place"
  if ! { /usr/bin/env python3 -m venv "$place" && "$place/bin/pip" install -q --no-cache-dir --timeout 20 --retries 1 $packages; } \
    >build/python.log 2>&1
  then
    echo "python.sh: no environment for the tests could be made: $(tail -n 1 build/python.log)" >&2
    echo python3
    exit 0
  fi
  echo "$packages" >"$place/packages"
fi
echo "$place/bin/python3"
