#!/bin/sh
# quickstart.sh - from a fresh clone to a trained network: installs the packages, builds icl, and trains a
# pre-activation ResNet-20 on Fashion-MNIST for five epochs. Options are passed on to the recipe.
set -eu
cd "$(dirname "$0")/.."

sh third_party/setup.sh
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release -j "$(nproc)" --target installed; } >build/quickstart.log 2>&1; then
  tail -n 40 build/quickstart.log >&2
  echo "quickstart.sh: the build failed; all of its output is in build/quickstart.log" >&2
  exit 1
fi
exec build/release/icl recipes/resnet_preact.lua --preset quickstart "$@"
