#!/bin/sh
# torch_setup.sh - installs what icl is compared with: Debian's PyTorch and, given a folder, the newest of pip.
#
#   sh tests/bench/torch_setup.sh [FOLDER]     FOLDER becomes a virtual environment; 1.3 GB; remove it to renew it
#
# pip's x86-64 wheel is built for CUDA and its libraries must be there for it to load, though nothing calls them where
# there is no GPU. They take gigabytes, so one small library stands in for all of them: each function of it returns
# cudaErrorNoDevice, and PyTorch goes on with the CPU.
set -eu

packages="python3-torch python3-venv python3-dev g++ binutils"
missing=""
for package in $packages; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "installing:$missing"
  as_root=""
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

venv=${1:+$(realpath -m "$1")}
[ -n "$venv" ] || exit 0
loads() { "$venv/bin/python" -W ignore -c "import torch" 2>/dev/null; }
! loads || exit 0

echo "installing the newest PyTorch of pip in $venv"
rm -rf "$venv"
/usr/bin/python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --no-cache-dir --no-deps torch
"$venv/bin/pip" install --quiet filelock typing-extensions sympy networkx jinja2 fsspec
libraries=$(echo "$venv"/lib/python3*/site-packages/torch/lib)

# torch.compile links with -ltorch; the folder where Debian keeps its own libtorch must not come first.
printf '#!/bin/sh\nexec /usr/bin/g++ "-L%s" "$@"\n' "$libraries" >"$venv/bin/g++"
chmod +x "$venv/bin/g++"
! loads || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$libraries"
for file in lib*.so; do
  nm -D --undefined-only "$file" | grep -oE ' (__)?(cu|nv|nccl)[A-Za-z0-9_]*(@[A-Za-z0-9_.]+)?' >>"$work/all" || true
  readelf -d "$file" | sed -nE 's/.*NEEDED.*\[((libcu|libnv|libnccl).*)\]/\1/p' >>"$work/names"
done
sort -u "$work/all" >"$work/functions"
awk -F@ '{ print "int " $1 "(void) { return 100; }" }' "$work/functions" >"$work/absent.c"
awk -F@ '$2 { list[$2] = list[$2] $1 ";" } END { for (version in list) print version " {" list[version] " };" }' \
  "$work/functions" >"$work/absent.map"
gcc -shared -fPIC -w -fno-builtin "-Wl,--version-script=$work/absent.map" -o libcuda_absent.so "$work/absent.c"
sort -u "$work/names" | while read -r name; do
  [ "$name" = libcuda.so.1 ] || ln -s libcuda_absent.so "$name"
done
if ! loads; then
  echo "torch_setup.sh: this version of PyTorch does not load without the CUDA libraries:" >&2
  "$venv/bin/python" -W ignore -c "import torch"
fi
