#!/bin/sh
# run.sh - installs what is missing, builds icl and runs every test.
#
#   sh tests/run.sh             everything: the release build, then the same under ASan and UBSan, then TSan, then the
#                               build without oneDNN, then that by clang
#   sh tests/run.sh release     only one of the builds: release, asan, tsan, bare or clang
#   sh tests/run.sh --long ...  all cases of all suites in all builds, which takes longer
#
# A suite is a program that closes with the line `N passed, N failed` (`, N skipped` may follow); one line is printed for
# each, with the seconds that it took beside the others, and the end of its log if something failed. The last line sums
# all of them up. Logs: build/test-logs.
#
# Golden cases are looked for in the folder that ICL_ORACLE names, image sets in the one that ICL_DATA names; by default
# ../shared/oracle and ../shared/data beside the checkout.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
logs=$root/build/test-logs
oracle=${ICL_ORACLE:-$root/../shared/oracle}
export ICL_DATA="${ICL_DATA:-$root/../shared/data}"
export ICL_RUNS=none
long=""
if [ "${1:-}" = --long ]; then
  long=--long
  shift
fi
stages=${*:-release asan tsan bare clang}
mkdir -p "$logs"
counts=$logs/counts # of each suite: passed, failed, skipped
places=$logs/places
rm -f "$counts" "$places"

# number WORD TEXT: the number before WORD in a closing line, 0 if there is none.
number() {
  n=$(printf '%s\n' "$2" | sed -n "s/.*\b\([0-9][0-9]*\) $1.*/\1/p")
  echo "${n:-0}"
}

# run_suite NAME COMMAND...: runs a suite and prints its line; what it counted goes to $counts.
run_suite() {
  name=$1
  shift
  log=$logs/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9_.-' '_').log
  begin=$(date +%s)
  timeout 600 "$@" >"$log" 2>&1 </dev/null
  code=$?
  seconds=$(($(date +%s) - begin))
  closing=$(grep -aE '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
  passed=$(number passed "$closing")
  failed=$(number failed "$closing")
  skipped=$(number skipped "$closing")
  reason=""
  if [ -z "$closing" ]; then
    reason=" (no closing line, exit code $code)"
  elif [ $code -ne 0 ] && [ "$failed" -eq 0 ]; then
    reason=" (exit code $code)"
  fi
  [ -z "$reason" ] || failed=$((failed + 1))
  echo "$passed $failed $skipped" >>"$counts"
  line="$passed passed, $failed failed"
  [ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
  printf '%-44s %s, %s s%s\n' "$name" "$line" "$seconds" "$reason"
  grep -a '^skipped: ' "$log" | head -n 5 | sed 's/^/    /'
  [ "$failed" -eq 0 ] || tail -n 40 "$log" | sed 's/^/    /'
}

# Suites run beside each other, as many as there are cores: each takes a line from this pipe and puts it back.
mkfifo "$places"
exec 3<>"$places"
rm "$places"
for _ in $(seq "$(nproc)"); do echo >&3; done

# suite NAME COMMAND...: as run_suite, as soon as there is a place; does not wait for the end.
suite() {
  read -r _ <&3
  {
    text=$(run_suite "$@")
    printf '%s\n' "$text"
    echo >&3
  } &
}

# skip NAME WHY: a suite that cannot run here.
skip() {
  echo "0 0 1" >>"$counts"
  printf '%-44s %s\n' "$1" "skipped: $2"
}

# broken NAME LOG: what has to be built first and failed; the end of its log.
broken() {
  echo "0 1 0" >>"$counts"
  tail -n 40 "$2"
  echo "the $1 build failed; all of its output is in $2"
}

# build PRESET TARGET [OPTION...]: configures and builds; a failure is a failed test that ends the run.
build() {
  preset=$1
  target=$2
  shift 2
  echo "building $preset"
  if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$(nproc)" --target "$target"; } \
    >"$logs/$preset-build.log" 2>&1
  then
    broken "$preset" "$logs/$preset-build.log"
    finish
  fi
}

# finish: waits for all suites, sums up and ends.
finish() {
  wait
  awk '{ passed += $1; failed += $2; skipped += $3 }
       END { printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""; exit failed > 0 }' \
    "$counts"
  exit
}

unit_tests() {
  for file in tests/unit/test_*.c; do
    name=$(basename "$file" .c)
    suite "$1 unit $name" "build/$1/tests/$name"
  done
}

fuzz_tests() {
  for file in tests/fuzz/fuzz_*.c; do
    name=$(basename "$file" .c)
    suite "$1 fuzz $name" "build/$1/tests/$name"
  done
}

# What the address sanitizer would see once more: many settings and large models for code in C that small ones reach in
# other suites, processes that units of the group start as well, runs that are killed, and tests of Lua alone.
repeats="lua/test_models lua/test_recipes cli/test_recipes cli/test_examples cli/test_export cli/test_torchvision
  cli/test_bench cli/test_layers cli/test_processes cli/test_report cli/test_seeds fault/test_kills"

# is_left_out BUILD FOLDER/NAME: whether a suite is left to the release build.
is_left_out() {
  [ -z "$long" ] && [ "$1" = asan ] && printf ' %s ' $repeats | grep -qF " $2 "
}

# scripts BUILD FOLDER: each script of a folder of Lua tests.
scripts() {
  for file in tests/"$2"/test_*.lua; do
    name=$(basename "$file" .lua)
    [ ! -e "$file" ] || is_left_out "$1" "$2/$name" || suite "$1 $2 $name" "build/$1/icl" "$file"
  done
}

# golden BUILD SCRIPT[:FOLDER]...: scripts of tests/golden, on our own small cases and on the large set where that is at
# hand; FOLDER holds the cases if it is not called like the script.
golden() {
  build_name=$1
  shift
  for script in "$@"; do
    cases=${script#*:}
    script=${script%%:*}
    run="build/$build_name/icl tests/golden/$script.lua"
    [ "$script" != formula ] || run="$run $long"
    [ ! -d "tests/golden/data/$cases" ] || suite "$build_name golden $script (own cases)" $run tests/golden/data
    if [ -d "$oracle/$cases" ]; then
      suite "$build_name golden $script" $run "$oracle"
    else
      skip "$build_name golden $script" "no folder $oracle/$cases; ICL_ORACLE names another place"
    fi
  done
}

# Results must not depend on how a step is cut up, nor on which kernels compute it.
other_ways() {
  cases=tests/golden/data
  [ ! -d "$oracle/models" ] || cases=$oracle
  for way in ICL_CHUNK=1 ICL_CONV=winograd ICL_CONV=winograd_fused ICL_CONV=direct ICL_CONV=onednn ICL_ISA=portable; do
    suite "golden models, $way" env "$way" build/release/icl tests/golden/models.lua "$cases"
  done
  suite "golden models, op by op" build/release/icl tests/golden/models.lua "$cases" --eager
  suite "golden half, bf16" build/release/icl tests/golden/half.lua "$cases" --precision bf16
  suite "golden half, bf16, ICL_CONV=amx" env ICL_CONV=amx build/release/icl tests/golden/half.lua "$cases" \
    --precision bf16
  suite "golden half, f32, ICL_CONV=amx" env ICL_CONV=amx build/release/icl tests/golden/half.lua "$cases" \
    --precision f32
  suite "golden half, f16, reference" build/release/icl tests/golden/half.lua tests/golden/data --precision f16 \
    --device ref
  suite "golden models, device far" env ICL_PLUGINS=build/release/tests build/release/icl \
    tests/golden/models.lua tests/golden/data --device far
  suite "golden models, reference" build/release/icl tests/golden/models.lua tests/golden/data --device ref
  for way in winograd direct onednn; do
    suite "few images on 5 threads, ICL_CONV=$way" env ICL_CONV="$way" ICL_THREADS=5 build/release/icl \
      tests/lua/test_few_images.lua
  done
  suite "ops, ICL_CHUNK=1 on 2 threads" env ICL_CHUNK=1 ICL_THREADS=2 build/release/tests/test_ops compare
  suite "ops, device far" build/release/tests/test_ops --device far --jobs 2
  suite "programs, device far" build/release/tests/test_programs --device far --count 50
  suite "ops, ICL_ISA=portable" env ICL_ISA=portable build/release/tests/test_ops compare
  if grep -q avx2 /proc/cpuinfo 2>/dev/null; then
    suite "ops, ICL_ISA=avx2" env ICL_ISA=avx2 build/release/tests/test_ops compare
    suite "golden models, ICL_ISA=avx2" env ICL_ISA=avx2 build/release/icl tests/golden/models.lua "$cases"
  fi
}

# command_line BUILD: the tests in Python that run the executable, which they find in the variable ICL; those of
# tests/fault make calls of the system fail and kill it.
command_line() {
  for file in tests/cli/test_*.py tests/fault/test_*.py; do
    folder=$(basename "$(dirname "$file")")
    name=$(basename "$file" .py)
    is_left_out "$1" "$folder/$name" ||
      suite "$1 $folder $name" env ICL="$root/build/$1/icl" "$python" "$file"
  done
}

# The device cuda on the simulator: what holds for every device, in the orders that threads, blocks and streams may have;
# nothing may be left at the end. The program itself has no sanitizer, so what the plug-in needs of it is loaded first.
cuda_device() {
  folder=$root/build/release/tests/cudasim
  cuda="env ICL_PLUGINS=$folder-plain ICL_CUDA_LIBRARIES=$folder-plain XDG_CACHE_HOME=$logs/cache CUDASIM_LIVE=1"
  asan="env ICL_PLUGINS=$folder-asan ICL_CUDA_LIBRARIES=$folder-asan XDG_CACHE_HOME=$logs/cache CUDASIM_LIVE=1"
  sanitizers=$(cc -print-file-name=libasan.so):$(cc -print-file-name=libubsan.so)
  asan_processes="$asan ICL_PRELOAD=$sanitizers"
  asan="$asan LD_PRELOAD=$sanitizers"
  tsan="env ICL_PLUGINS=$folder-tsan ICL_CUDA_LIBRARIES=$folder-tsan XDG_CACHE_HOME=$logs/cache CUDASIM_LIVE=1"
  tsan="$tsan CUDASIM_COARSE=1"
  tsan_processes="$tsan ICL_PRELOAD=$(cc -print-file-name=libtsan.so)"
  tsan="$tsan LD_PRELOAD=$(cc -print-file-name=libtsan.so)"
  random="$cuda CUDASIM_ORDER=random CUDASIM_STREAMS=random"
  models="build/release/icl tests/golden/models.lua tests/golden/data --device cuda"
  suite "cuda device, ops" $cuda build/release/tests/test_ops --device cuda --f16 --jobs "$(nproc)"
  suite "cuda device, ops at random" $random build/release/tests/test_ops --device cuda --jobs "$(nproc)"
  suite "cuda device, golden models" $cuda $models
  suite "cuda device, golden models in reverse" $cuda CUDASIM_ORDER=reverse CUDASIM_STREAMS=eager $models
  suite "cuda device, golden models at random" $random $models
  suite "cuda device, golden models op by op" $cuda $models --eager
  suite "cuda device, golden models, asan" $asan $models
  suite "cuda device, ops, asan" $asan build/release/tests/test_ops --device cuda --f16 --jobs "$(nproc)"
  suite "cuda device, golden models, tsan" $tsan $models
  suite "cuda device, programs, tsan" $tsan build/release/tests/test_programs --device cuda --count 15
  suite "cuda device, golden optim" $cuda build/release/icl tests/golden/optim.lua tests/golden/data --device cuda
  suite "cuda device, batch norm" $cuda build/release/icl tests/lua/test_batch_norm.lua --device cuda
  suite "cuda device, copies" $cuda build/release/icl tests/cuda/copies.lua --device cuda
  suite "cuda device, states that move" $cuda build/release/icl tests/cuda/moves.lua --device cuda
  suite "cuda device, large sizes" $cuda build/release/icl tests/cuda/sizes.lua --device cuda
  suite "cuda device, programs" $random build/release/tests/test_programs --device cuda --count 60
  suite "cuda device, the same bytes" $cuda sh tests/cudasim/orders.sh build/release/icl tests/cuda/train.lua \
    --device cuda --options depth=8 --steps 4 --batch 8 --mixup --cutout --deterministic
  suite "cuda device, late errors" $cuda sh tests/cudasim/late.sh build/release/icl
  suite "cuda device, short of memory" $cuda sh tests/cudasim/short_memory.sh build/release/icl
  suite "cuda device, refusals" $cuda sh tests/cudasim/refused.sh build/release/icl tests/cuda/refused.lua 50 late
  suite "cuda device, refusals beside" $cuda sh tests/cudasim/refused.sh build/release/icl tests/cuda/beside.lua 80
  suite "cuda device, two engines" $cuda CUDASIM_DEVICES=2 build/release/tests/test_two_engines
  processes="CUDASIM_DEVICES=3 ICL=$root/build/release/icl $python tests/cli/test_processes.py --device cuda"
  suite "cuda device, processes" $cuda $processes
  suite "cuda device, processes at random" $random $processes the_parts_of sums
  suite "cuda device, processes, asan" $asan_processes $processes sums wait_on
  suite "cuda device, processes, tsan" $tsan_processes $processes sums
}

# The kernels of the CUDA backend: run by the simulator, and as machine code. `asan` and `tsan` are flavours of the same
# build. The thread sanitizer takes long, so it sees the ops whose threads talk to one another.
cuda_kernels() {
  if [ ! -d build/release/tests/cudasim ]; then
    skip "cuda kernels" "no headers of the CUDA toolkit, whose folder CUDA_PATH names, or no C++ compiler"
    return
  fi
  if ! cmake --build --preset release -j "$(nproc)" --target cudasim >"$logs/cudasim-build.log" 2>&1; then
    broken cudasim "$logs/cudasim-build.log"
    return
  fi
  for flavour in plain asan tsan; do
    suite "cuda simulator, $flavour" "build/release/tests/test_cudasim_$flavour"
    suite "cuda doubles of libraries, $flavour" "build/release/tests/test_cuda_doubles_$flavour"
  done
  suite "cuda kernels" build/release/tests/test_cuda_kernels_plain
  suite "cuda kernels, bytes" build/release/tests/test_cuda_bytes
  suite "cuda kernels, asan" build/release/tests/test_cuda_kernels_asan
  suite "cuda kernels, tsan" build/release/tests/test_cuda_kernels_tsan bn_scale_sums sum cross_entropy global_avg_pool host
  for flavour in plain asan; do
    suite "cuda convolutions, $flavour" env ICL_CUDA_LIBRARIES="$root/build/release/tests/cudasim-$flavour" \
      "build/release/tests/test_cuda_conv_$flavour"
  done
  cuda_device
}

# The plug-in that is shipped: its machine code, and its host code with the kernels of the simulator in their place,
# which the release build has made.
cuda_shipped() {
  shipped=$root/build/release/tests/cudasim-shipped
  if ! cmake --build --preset bare-tests --target help | grep -w icl_cuda >/dev/null; then
    skip "cuda plug-in" "no nvcc; CUDA_PATH names the folder of the toolkit"
    return
  elif [ ! -e "$shipped/libcudart.so.13" ]; then
    skip "cuda plug-in" "no doubles of NVIDIA's libraries in build/release"
    return
  fi
  if ! cmake --build --preset bare-tests -j "$(nproc)" --target icl_cuda >"$logs/icl_cuda-build.log" 2>&1; then
    broken "CUDA plug-in" "$logs/icl_cuda-build.log"
    return
  fi
  cp build/bare-tests/libicl_cuda.so "$shipped"
  cuda="env ICL_PLUGINS=$shipped ICL_CUDA_LIBRARIES=$shipped XDG_CACHE_HOME=$logs/cache CUDASIM_LIVE=1"
  suite "cuda plug-in, ops" $cuda build/bare-tests/tests/test_ops --device cuda --f16 --jobs "$(nproc)"
  suite "cuda plug-in, machine code" "$python" tests/cuda/test_machine_code.py "$shipped/libicl_cuda.so" \
    "$shipped/libcudart.so.13" $architectures
  suite "cuda plug-in, golden models" $cuda build/bare-tests/icl tests/golden/models.lua tests/golden/data --device cuda
}

# Plans of cuDNN for what the recipes compute. The library is asked; there need be no GPU.
cudnn_plans() {
  if [ ! -x build/release/tests/test_cudnn_plans ]; then
    skip "cudnn plans" "no headers of cuDNN"
  elif [ ! -x build/release/icl ]; then
    skip "cudnn plans" "no icl to list the convolutions of the recipes"
  else
    build/release/icl tests/cuda/conv_shapes.lua >"$logs/conv_shapes.txt"
    suite "cudnn plans" build/release/tests/test_cudnn_plans "$logs/conv_shapes.txt" \
      build/release/tests/libcuda_driver.so $long
  fi
}

everything() {
  unit_tests "$1"
  fuzz_tests "$1"
  suite "$1 ops" "build/$1/tests/test_ops"
  count=""
  [ -n "$long" ] || [ "$1" = release ] || count="--count 100"
  suite "$1 programs" "build/$1/tests/test_programs" $count
  if [ -x "build/$1/icl" ]; then
    scripts "$1" lua
    scripts "$1" fuzz
    command_line "$1"
  fi
}

sh third_party/setup.sh tests || exit 1
python=$(sh tests/python.sh)
for stage in $stages; do
  case $stage in
    release)
      build release all -DICL_WERROR=ON
      everything release
      golden release models formula optim schedules losses transforms resize:transforms collators train_steps
      other_ways
      suite "install" sh tests/install/run.sh build/release
      cuda_kernels
      cudnn_plans
      ;;
    asan)
      export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
      build asan all
      everything asan
      golden asan models optim train_steps
      ;;
    tsan)
      export TSAN_OPTIONS=halt_on_error=1
      build tsan threaded_tests
      for name in test_threads test_image_stream test_save test_devices test_group; do
        suite "tsan unit $name" "build/tsan/tests/$name"
      done
      ;;
    bare)
      architectures="75 80 90 120"
      [ -z "$long" ] || architectures="75 80 86 89 90 100 120"
      build bare-tests bare_tests -DICL_WERROR=ON "-DICL_CUDA_ARCHITECTURES=$(echo $architectures | tr ' ' ';')"
      suite "bare pack.sh and gpu.sh" env GPU_PYTHON="$python" sh tests/cuda/test_gpu_script.sh build/bare-tests
      suite "bare unit test_conv_choice" build/bare-tests/tests/test_conv_choice
      suite "bare ops" build/bare-tests/tests/test_ops compare
      suite "bare golden models" build/bare-tests/icl tests/golden/models.lua tests/golden/data
      cuda_shipped
      ;;
    clang)
      build clang icl -DICL_WERROR=ON
      suite "clang golden models" build/clang/icl tests/golden/models.lua tests/golden/data
      suite "clang lua test_tensor" build/clang/icl tests/lua/test_tensor.lua
      suite "clang lua test_nn" build/clang/icl tests/lua/test_nn.lua
      suite "clang lua test_run" build/clang/icl tests/lua/test_run.lua
      ;;
    *)
      echo "run.sh: no build is called $stage; there are release, asan, tsan, bare and clang" >&2
      exit 2
      ;;
  esac
done
finish
