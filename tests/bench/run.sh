#!/bin/sh
# run.sh - measures training steps of icl against PyTorch: sh tests/bench/run.sh MODEL... [OPTION...]; README.md explains.
#
# Installs what is missing, builds icl, then runs compare.py, which knows the options (--help lists them). Its own option:
#   --no-pip-torch   leave out the PyTorch of pip, a download of half a gigabyte at the first run
set -eu
cd "$(dirname "$0")/../.."
venv=${XDG_CACHE_HOME:-$HOME/.cache}/icl/bench-venv
build=yes
for argument; do
  shift
  case $argument in
    --no-pip-torch) venv="" ;;
    *) set -- "$@" "$argument" ;;
  esac
  case $argument in
    --no-icl) build=no ;;
    -h | --help) exec python3 tests/bench/compare.py --help ;;
  esac
done

if ! sh tests/bench/torch_setup.sh ${venv:+"$venv"}; then
  echo "run.sh: PyTorch could not be installed (its reason is above)" >&2
  [ -n "$venv" ] || exit 1
  echo "run.sh: going on without the PyTorch of pip" >&2
  venv=""
fi
if [ $build = yes ]; then
  sh third_party/setup.sh
  mkdir -p build
  if ! { cmake --preset release && cmake --build --preset release -j "$(nproc)" --target icl; } >build/bench.log 2>&1; then
    tail -n 40 build/bench.log >&2
    echo "run.sh: the build failed; all of its output is in build/bench.log" >&2
    exit 1
  fi
fi
exec /usr/bin/python3 tests/bench/compare.py --venv "$venv" "$@"
