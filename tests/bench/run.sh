#!/bin/sh
# run.sh - measures steps of icl against those of PyTorch: sh tests/bench/run.sh [MODEL...] [OPTION...]
#
# README.md says what is measured. Installs what is missing, builds icl, then runs compare.py, which knows the options
# (--help lists them). One more:
#   --no-pip-torch   leave out the PyTorch of pip, a download of half a gigabyte at the first run
set -eu
cd "$(dirname "$0")/../.."
venv=build/torch
torch=yes
build="bench_clock icl"
for argument; do
  shift
  case $argument in
    --no-pip-torch) venv="" ;;
    *) set -- "$@" "$argument" ;;
  esac
  case $argument in
    --no-icl) build=bench_clock ;;
    --no-torch | --callgrind) torch=no ;;
    -h | --help) exec python3 tests/bench/compare.py --help ;;
  esac
done

if [ $torch = no ]; then
  venv=""
elif ! sh tests/bench/torch_setup.sh $venv; then
  echo "run.sh: PyTorch could not be installed (its reason is above)" >&2
  [ -n "$venv" ] || exit 1
  echo "run.sh: going on without the PyTorch of pip" >&2
  venv=""
fi
sh tests/bench/build.sh $build
exec /usr/bin/python3 tests/bench/compare.py ${venv:+--venv $venv} "$@"
