#!/bin/sh
# pack.sh - puts all that tests/cuda/gpu.sh needs into one folder, at most 48 MB, which runs on a machine that has a GPU
# and PyTorch but none of the packages that icl is built from.
#
#   sh tests/cuda/pack.sh FOLDER [BUILD] [--without-plugin]
#
# FOLDER is made anew. BUILD is build/release, or a build with -DICL_WITH_ONEDNN=OFF, which is 40 MB smaller.
# Golden cases come from the folder that ICL_ORACLE names (../shared/oracle), images from the one with the binary files
# of CIFAR-10 that ICL_CIFAR10 names: as many as the limit leaves room for. Libraries that the program opens only to
# read WebP and TIFF images and to download are left out, and so are cuDNN and cuBLAS: the machine has them.
set -eu
cd "$(dirname "$0")/../.."
unset LD_LIBRARY_PATH # it may name the simulator's doubles of NVIDIA's libraries

limit=$((48 << 20))
record=3073
oracle=${ICL_ORACLE:-../shared/oracle}
plugin=libicl_cuda.so
folder="" build=""
for word; do
  case $word in
    --without-plugin) plugin="" ;;
    -*) echo "pack.sh: there is no option $word" >&2 && exit 2 ;;
    *) if [ -z "$folder" ]; then folder=$word; else build=$word; fi ;;
  esac
done
build=${build:-build/release}
[ -n "$folder" ] || { echo "usage: pack.sh FOLDER [BUILD] [--without-plugin]" >&2 && exit 2; }

fail() {
  echo "pack.sh: $1" >&2
  exit 1
}

bytes_of() { du -sb "$1" | cut -f1; }

for tool in patchelf xz ldd; do
  command -v $tool >/dev/null || fail "there is no $tool; sh third_party/setup.sh tests installs it"
done
[ ! -e "$folder" ] || [ -e "$folder/build/release/icl" ] || [ -z "$(ls -A "$folder")" ] ||
  fail "$folder holds something else; name another folder"
for file in icl tests/test_ops tests/test_programs tests/libicl_far.so; do
  [ -e "$build/$file" ] || fail "$build/$file is missing; build it first"
done
[ -z "$plugin" ] || [ -e "$build/$plugin" ] ||
  fail "$build/$plugin is missing: the CUDA plug-in was not built; --without-plugin packs for a rehearsal"
rm -rf "$folder"
there=$folder/build/release
mkdir -p "$there/tests" "$there/lib"

# Programs, laid out as in a checkout, so that the same script runs in both.
cp "$build/icl" ${plugin:+"$build/$plugin"} "$there"
cp "$build/tests/test_ops" "$build/tests/test_programs" "$build/tests/libicl_far.so" "$there/tests"
[ ! -e "$build/tests/test_cuda_conv" ] || cp "$build/tests/test_cuda_conv" "$there/tests"
cp -r recipes "$folder"
mkdir "$folder/tests"
cp -r tests/golden tests/bench tests/cuda "$folder/tests"
mkdir "$folder/tests/cli"
for file in harness test_export test_processes test_tensorboard; do # two need packages of Python that the machine has
  cp "tests/cli/$file.py" "$folder/tests/cli"
done
rm -rf "$folder"/tests/*/__pycache__

# Their libraries but those of the C and C++ compilers and NVIDIA's. Each finds the others beside itself.
is_there_already() {
  case $1 in
    linux-vdso.* | ld-linux* | libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | libresolv.so*) ;;
    libstdc++.so* | libgcc_s.so* | libcuda.so* | libcudnn* | libnccl* | libcublas* | libnvrtc*) ;;
    *) return 1 ;;
  esac
}
for file in "$there"/icl "$there"/*.so "$there"/tests/*; do
  [ -e "$file" ] || continue
  ldd "$file" | awk '/=>/ { print $1, $3 }' | while read -r name path; do
    if is_there_already "$name" || [ -e "$there/lib/$name" ]; then continue; fi
    [ -e "$path" ] || fail "$file needs $name, which is not here"
    cp -L "$path" "$there/lib/$name"
    patchelf --set-rpath "\$ORIGIN" "$there/lib/$name"
  done
done
patchelf --set-rpath "\$ORIGIN/lib" "$there"/icl ${plugin:+"$there/$plugin"}
patchelf --set-rpath "\$ORIGIN/../lib" "$there"/tests/*
for library in ${plugin:+"$there/$plugin"} "$there"/lib/*; do # gpu.sh unpacks it
  [ "$(bytes_of "$library")" -lt $((16 << 20)) ] || xz -T0 -6 "$library"
done

# Golden cases and images.
if [ -d "$oracle/models" ]; then
  mkdir "$folder/oracle"
  for cases in models formula optim schedules losses transforms collators train_steps; do
    cp -r "$oracle/$cases" "$folder/oracle"
  done
else
  echo "pack.sh: no golden cases in $oracle: only those of tests/golden/data are packed"
fi
chmod -R u+w "$folder"
images=${ICL_CIFAR10:+$ICL_CIFAR10/data_batch_1.bin}
if [ -e "${images:-none}" ]; then
  room=$(((limit - $(bytes_of "$folder") - (1 << 20)) / record))
  [ $room -le 10000 ] || room=10000
  [ $room -lt 1000 ] || head -c $((room * record)) "$images" >"$folder/images.bin"
  echo "pack.sh: $room images of CIFAR-10"
else
  echo "pack.sh: no images: ICL_CIFAR10 names the folder of data_batch_1.bin; training is on noise"
fi

size=$(bytes_of "$folder")
echo "pack.sh: $folder has $((size >> 20)) MB; there: sh tests/cuda/gpu.sh"
if [ "$size" -gt "$limit" ]; then
  du -ab "$folder" | sort -rn | head -n 12
  fail "that is more than $((limit >> 20)) MB"
fi
