#!/bin/sh
# gpu.sh - all that has to be seen on a real GPU, in under ten minutes: tests, then the bench against PyTorch.
#
#   sh tests/cuda/gpu.sh [--short] [STAGE...]
#
# The stages: machine ops programs golden half python group sanitizer bytes training bench profile; without any, all of them.
#
# It runs in a checkout or in the folder that pack.sh makes. The stages up to training run side by side while PyTorch
# compiles its networks, each job with a limit of its own; then the bench has the machine for itself. What fails does
# not stop the rest. One line a job goes to the report, the most important ones last; the folder that OUT names
# (build/gpu) gets report.txt, bench.json and the logs of all jobs.
#
# GPU_DEVICE (cuda) and GPU_TORCH_DEVICE (cuda) name the device, so that the script can be rehearsed without a GPU,
# GPU_PYTHON (python3) the Python with PyTorch, GPU_SECONDS (540) is how long all of it may take.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1

device=${GPU_DEVICE:-cuda}
torch_device=${GPU_TORCH_DEVICE:-cuda}
python=${GPU_PYTHON:-python3}
seconds=${GPU_SECONDS:-540}
out=${OUT:-build/gpu}
begin=$(date +%s)
short=""
stages=""
for word; do
  case $word in
    --short) short=yes ;;
    machine | ops | programs | golden | half | python | group | sanitizer | bytes | training | bench | profile) stages="$stages $word" ;;
    *) echo "gpu.sh: '$word' is not known" >&2 && exit 2 ;;
  esac
done
stages=${stages:-machine ops programs golden half python group sanitizer bytes training bench profile}
wants() { case " $stages " in *" $1 "*) true ;; *) false ;; esac }

mkdir -p "$out"
work=$(mktemp -d)
logs=$work/logs
mkdir -p "$logs"
report=$out/report.txt
: >"$report"
say() { printf '%s\n' "$*" | tee -a "$report"; }
passed() { date +%s | awk -v b="$begin" '{ print $1 - b }'; }

export ICL_PLUGINS="${ICL_PLUGINS:+$ICL_PLUGINS:}$PWD/build/release:$PWD/build/release/tests"
export ICL_RUNS=none PYTHONUNBUFFERED=1
export PATH="$PATH:/usr/local/cuda/bin"
icl=build/release/icl
oracle=${ICL_ORACLE:-oracle}
[ -d "$oracle" ] || oracle=../shared/oracle
images=""
[ ! -e images.bin ] || images="--images images.bin"
for packed in build/release/*.xz build/release/lib/*.xz; do
  [ ! -e "$packed" ] || xz -d "$packed" 2>/dev/null ||
    "$python" -c 'import lzma, sys; open(sys.argv[1][:-3], "wb").write(lzma.open(sys.argv[1]).read())' "$packed"
done

# ---- jobs ----

jobs=""
pids=""

# job NAME LIMIT COMMAND...: starts it, for at most LIMIT seconds.
job() {
  name=$1
  limit=$2
  shift 2
  jobs="$jobs $name"
  (
    started=$(date +%s)
    timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1 </dev/null
    echo "$? $(($(date +%s) - started)) $limit" >"$logs/$name.end"
  ) &
  pids="$pids $!"
}

# Prints what the jobs that have ended say about failures, then one line about each.
report_jobs() {
  lines=""
  for name in $jobs; do
    read -r code took limit <"$logs/$name.end"
    closing=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$logs/$name.log" | tail -n 1)
    case $code in
      0) verdict="ok" ;;
      124 | 137) verdict="FAILED: not done after $limit s" ;;
      *) verdict="FAILED (code $code)" ;;
    esac
    lines="$lines
$(printf '%-28s %-10s %4s s  %s' "$name" "$verdict" "$took" "$closing")"
    if [ "$code" -ne 0 ]; then
      echo "--- $name: $verdict"
      grep -aiE 'failed|error|cannot|invalid' "$logs/$name.log" | cut -c1-300 | head -n 12
      tail -n 4 "$logs/$name.log" | cut -c1-300
    fi
    grep -ahE '^skipped: ' "$logs/$name.log" | sort | uniq -c | head -n 5
  done
  echo "$lines"
}

keep_logs() { tar -C "$work" -czf "$out/logs.tar.gz" logs; }

# ---- machine ----

describe_machine() {
  uname -srm
  nvidia-smi --format=csv,noheader \
    --query-gpu=name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm,power.limit
  nvcc --version | tail -n 2
  grep -m1 'model name' /proc/cpuinfo
  nproc
  "$python" -c 'import torch as t; print("PyTorch", t.__version__, "cuDNN", t.backends.cudnn.version(), t.version.cuda)'
  $icl --version
  $icl devices
}

# ---- tests ----

# NCCL by itself needs one GPU, processes need one each.
start_groups() {
  if [ -x build/release/tests/test_cuda_conv ]; then
    job group-nccl 100 build/release/tests/test_cuda_conv what_nccl_does_becomes_part_of_a_graph \
      a_communicator_can_be_aborted
  else
    say "skipped: group: test_cuda_conv was not built"
  fi
  gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')
  if [ "$gpus" -ge 2 ]; then
    job group-processes 200 "$python" tests/cli/test_processes.py --device "$device" --devices "$gpus" \
      parts_of sums dies_at
  else
    say "skipped: group: processes that train together need two GPUs, and there are $gpus"
  fi
}

start_tests() {
  steps=300
  [ -z "$short" ] || steps=100
  f16=""
  [ "$device" != cuda ] || f16=--f16
  train="$icl tests/cuda/train.lua --device $device $images"
  golden() { job "golden-$1" "$2" $icl "tests/golden/$3.lua" "$4" --device "$device" $5; }

  if wants training; then
    job training-cpu 200 $icl tests/cuda/train.lua --threads 6 $images --steps $steps
    job training-f32 120 $train --steps $steps
    job training-bf16 120 $train --steps $steps --precision bf16
    [ -z "$f16" ] || job training-f16 120 $train --steps $steps --precision f16
  fi
  if wants golden; then
    golden models 150 models "$oracle" ""
    golden models-own 100 models tests/golden/data ""
    golden models-eager 150 models tests/golden/data --eager
    if [ -z "$short" ]; then
      golden formula 240 formula "$oracle" ""
      for suite in optim schedules losses transforms collators train_steps; do
        golden $suite 100 $suite "$oracle" ""
      done
    fi
  fi
  if wants half; then
    golden bf16 100 half "$oracle" "--precision bf16"
    golden bf16-own 100 half tests/golden/data "--precision bf16"
    if [ "$device" = cuda ] && [ -z "$short" ]; then
      golden tf32 100 half "$oracle" "--precision tf32"
      golden f16 100 half "$oracle" "--precision f16"
    fi
  fi
  if wants python; then
    for suite in export tensorboard; do
      job python-$suite 150 "$python" tests/cli/test_$suite.py
    done
  fi
  ! wants group || start_groups
  ! wants ops || job ops 200 build/release/tests/test_ops --device "$device" $f16 --jobs 6
  if wants programs; then
    job programs-1 150 build/release/tests/test_programs --device "$device" --seconds 60 --seed 1
    [ -n "$short" ] || job programs-2 150 build/release/tests/test_programs --device "$device" --seconds 60 --seed 50001
  fi
  if wants bytes; then
    job bytes 100 sh tests/cuda/twice.sh $train --steps 20 --mixup --cutout
    job bytes-deterministic 100 sh tests/cuda/twice.sh $train --steps 20 --mixup --cutout --deterministic
    if [ -z "$short" ]; then
      job bytes-bf16 100 sh tests/cuda/twice.sh $train --steps 20 --precision bf16
      job bytes-densenet 100 sh tests/cuda/twice.sh $train --steps 10 --model densenet --options depth=40,growth_rate=12
      job bytes-shake-shake 100 sh tests/cuda/twice.sh $train --steps 10 --model shake_shake \
        --options depth=26,initial_channels=32 --precision bf16
    fi
  fi
  if wants sanitizer; then
    if command -v compute-sanitizer >/dev/null; then
      check="compute-sanitizer --tool memcheck --error-exitcode 9 --target-processes all"
      job sanitizer-ops 200 $check build/release/tests/test_ops --device "$device" --no-fork compare conv2d \
        conv2d_input_grad conv2d_weight_grad matmul bn_scale_sums bn_input_grad cross_entropy max_pool2d_grad gather \
        crop concat permute sum
      job sanitizer-step 200 $check $icl tests/cuda/train.lua --device "$device" --steps 2 --batch 32 --mixup
    else
      say "skipped: sanitizer: there is no compute-sanitizer"
    fi
  fi
}

# What needs two jobs to have ended.
compare_training() {
  for precision in f32 bf16 f16; do
    [ -e "$logs/training-$precision.log" ] || continue
    half=""
    [ $precision = f32 ] || half=--half
    job training-$precision-near 20 $icl tests/cuda/near.lua "$logs/training-cpu.log" \
      "$logs/training-$precision.log" $half
  done
  wait $pids
}

# ---- speed ----

# bench LIMIT OPTION...: the tests go first where it runs beside them.
bench() {
  nice timeout -k 5 "$1" "$python" tests/bench/compare_device.py --device "$device" --torch-device "$torch_device" \
    --cache "$work/torch" $models "$2" "$3" ${4:+"$4" "$5"} 2>&1
}

profile() { # family, options, batch
  printf 'step 5\nstep 20\nprofile\nstatistics\n' | timeout -k 5 60 $icl tests/bench/serve.lua --ready --profile \
    --device "$device" --precision bf16 --lr 0.001 --model "$1" --options "$2" --batch "$3" 2>&1
}

models=""
[ -z "$short" ] || models="resnet_preact-20 --precisions bf16"

if wants machine; then
  describe_machine >"$logs/machine.log" 2>&1
  say "$(cat "$logs/machine.log")"
fi

warming=""
if wants bench && "$python" -c 'import torch' 2>/dev/null; then
  bench 180 --warm 6 >"$logs/bench-warm.log" 2>&1 </dev/null &
  warming=$!
fi
# The choice of convolutions by timing is kept for later processes, but not from the tests to the bench.
export XDG_CACHE_HOME="$work/cache-tests"
start_tests
[ -z "$pids" ] || wait $pids
first_jobs=$jobs
jobs="" pids=""
! wants training || compare_training
jobs="$first_jobs $jobs"
export XDG_CACHE_HOME="$work/cache-bench"
tests=$(report_jobs)
keep_logs
[ -z "$warming" ] || wait "$warming"

if wants bench; then
  say "the bench begins after $(passed) s"
  left=$((seconds - $(passed) - 60))
  bench "$((left + 20))" --seconds "$left" --json "$out/bench.json" >"$logs/bench.log" </dev/null
  say "$(sed '/^== summary/,$d' "$logs/bench.log" | cut -c1-160)"
fi
if wants profile; then
  profile resnet_preact depth=20 128 >"$logs/profile-resnet.log"
  [ -n "$short" ] || profile wrn depth=28,widening_factor=10 128 >"$logs/profile-wrn.log"
  [ -n "$short" ] || profile shake_shake depth=26,initial_channels=64 64 >"$logs/profile-shake.log"
  for file in "$logs"/profile-*.log; do
    say "--- $(basename "$file" .log), bf16"
    say "$(head -n 40 "$file" | cut -c1-120)"
  done
fi
say "$tests"
[ ! -e "$logs/bench.log" ] || say "$(sed -n '/^== summary/,$p' "$logs/bench.log")"
keep_logs
say "all of it took $(passed) s"
rm -rf "$work"
case $tests in *FAILED*) exit 1 ;; esac
