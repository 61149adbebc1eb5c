#!/bin/sh
# run.sh BUILD - installs a build into a temporary folder and uses it as a stranger would: a C program through
# pkg-config, the executable, and the Lua module in the stock interpreter.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build/release}
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
passed=0
failed=0

# check WHAT COMMAND...: one test; the command says what went wrong.
check() {
  what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "failed: $what"
    failed=$((failed + 1))
  fi
}

build_target() {
  cmake --build "$build" --target "$1" >/dev/null
}

embeds() {
  PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  export PKG_CONFIG_PATH
  ${CC:-cc} tests/install/embed.c $(pkg-config --cflags --libs icl) -o "$prefix/embed" &&
    LD_LIBRARY_PATH=$prefix/lib "$prefix/embed" >/dev/null
}

# The internal functions of the library must not be visible.
hides_internals() {
  ! nm -D --defined-only "$prefix/lib/libicl.so" | grep -v ' icl_[^_]' | grep .
}

# What is installed comes from the target that recipes/quickstart.sh builds, and from nothing that was built before.
rm -f "$build"/libicl.so* "$build/lua/icl.so" "$build/icl"
target=$(sed -n 's/.*--target \([a-z_]*\).*/\1/p' recipes/quickstart.sh)
check "the target of the quickstart is built" build_target "$target"
cmake --install "$build" --prefix "$prefix" >/dev/null || failed=1
for file in lib/libicl.so include/icl.h lib/pkgconfig/icl.pc bin/icl lib/lua/5.4/icl.so; do
  check "$file is installed" test -s "$prefix/$file"
done
check "libicl shows what icl.h declares and nothing else" hides_internals
check "a C program builds against libicl and runs" embeds
check "the executable runs from where it was installed" "$prefix/bin/icl" -e 'assert(icl.version)'
check "the stock interpreter loads icl.so" env "LUA_CPATH=$prefix/lib/lua/5.4/?.so" LUA_PATH=/nowhere \
  lua5.4 -e 'assert(require("icl").version)'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
