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

# The example in C says of a picture what the program says.
classifies() {
  PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  export PKG_CONFIG_PATH
  cat >"$prefix/make.lua" <<-'END'
	local icl, core = require "icl", require "icl.core"
	local data = { classes = 3, class_names = { "a", "b", "c" }, shape = { 8, 8, 3 }, mean = { 0.5, 0.5, 0.5 },
	               std = { 0.1, 0.2, 0.3 } }
	local model = icl.models.resnet { depth = 8, initial_channels = 4, input = data.shape, classes = 3 }
	icl.network.save(model, arg[1], { data = data })
	local picture = assert(io.open(arg[2], "wb"))
	picture:write(core.png_encode(core.ops.cast(icl.random.uniform { 20, 30, 3 } * 255, { dtype = "u8" })))
	picture:close()
	END
  ${CC:-cc} -Wall -Wextra -Werror recipes/examples/classify.c $(pkg-config --cflags --libs icl) -lm \
    -o "$prefix/classify" || return 1
  "$prefix/bin/icl" "$prefix/make.lua" "$prefix/net" "$prefix/picture.png" || return 1
  said=$(LD_LIBRARY_PATH=$prefix/lib "$prefix/classify" "$prefix/net" "$prefix/picture.png") || return 1
  expected=$("$prefix/bin/icl" predict "$prefix/net" "$prefix/picture.png" --top 1 --quiet | sed 's/^[^ ]* *//; s/  */ /g')
  [ "$said" = "$expected" ] || echo "classify says $said, icl predict $expected"
  [ "$said" = "$expected" ] && ! LD_LIBRARY_PATH=$prefix/lib "$prefix/classify" "$prefix/net" /nowhere 2>/dev/null
}

# In a locale with a comma, set before the library is loaded, defaults of ops and numbers as text have a point.
reads_points() {
  LOCPATH=$prefix LUA_CPATH=$prefix/lib/lua/5.4/?.so LUA_PATH=/nowhere lua5.4 -e 'assert(os.setlocale "de_DE.UTF-8")
    local icl = require "icl"
    local moved = icl.ops.bn_running(icl.ones { 5, 1 }, icl.zeros { 1 }, { row = 2 })
    assert(moved:item() == icl.tensor(0.1):item(), "the momentum of bn_running is " .. moved:item())
    assert(tostring(icl.tensor { 0.5 }):find("0.5000", 1, true), tostring(icl.tensor { 0.5 }))'
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
check "the example in C classifies a picture" classifies
check "the executable runs from where it was installed" "$prefix/bin/icl" -e 'assert(icl.version)'
check "the stock interpreter loads icl.so" env "LUA_CPATH=$prefix/lib/lua/5.4/?.so" LUA_PATH=/nowhere \
  lua5.4 -e 'assert(require("icl").version)'
if localedef -i de_DE -f UTF-8 "$prefix/de_DE.UTF-8" 2>/dev/null || [ -d "$prefix/de_DE.UTF-8" ]; then
  check "numbers have a point in every locale" reads_points
else
  echo "skipped: numbers in every locale: localedef cannot make de_DE.UTF-8"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
