#!/bin/sh
# setup.sh - installs the Debian packages that icl is built from; third_party/README.md says why each.
#
#   sh third_party/setup.sh          what the program needs
#   sh third_party/setup.sh tests    and what its tests need
#
# Does nothing, quietly, where all are there. Needs to be root or to have sudo otherwise.
set -eu

packages="gcc make cmake pkgconf libc6-dev liblua5.4-dev libdnnl-dev zlib1g-dev libdeflate-dev libjpeg62-turbo-dev
  libpng-dev libjansson-dev libedit-dev libzip-dev libcurl4-openssl-dev libmd-dev libwebp-dev libtiff-dev
  dataset-fashion-mnist"
case ${1:-} in
  "") ;;
  tests)
    packages="$packages libopenmpi-dev openmpi-bin lua5.4 python3 python3-venv chromium fonts-dejavu-core patchelf"
    packages="$packages xz-utils clang libomp-dev"
    ;;
  *) echo "setup.sh: '$1' is not known; there is: tests" >&2 && exit 2 ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup.sh: this is not a Debian system, so nothing was installed. icl needs CMake 3.25, a C11 compiler with" \
    "OpenMP, pkg-config, Lua 5.4, oneDNN 2.6 or 3, zlib, libdeflate, libjpeg-turbo, libpng, jansson, libzip, libcurl," \
    "libmd, libwebp and libtiff; libedit for the prompt, python3 and chromium for the tests." >&2
  exit 0
fi

missing=""
for package in $packages; do
  case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
    ii*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: not root and no sudo. As root, run: apt-get update && apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi

echo "installing:$missing"
$as_root apt-get update -qq || echo "setup.sh: apt-get update failed; trying with the package lists that are there" >&2
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; then
  echo "setup.sh: apt-get could not install:$missing (its reason is above)" >&2
  exit 1
fi
