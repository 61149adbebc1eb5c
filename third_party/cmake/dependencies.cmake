# dependencies.cmake - finds the packages that icl builds on, says in one line each what is there and what a missing one
# costs, and collects the ones of the core in the target icl_dependencies. third_party/setup.sh installs them all.
find_package(PkgConfig QUIET)
set(ICL_MISSING "")

# icl_report(NAME VERSION WHY): one line about a package; an empty VERSION means that it was not found.
function(icl_report name version why)
  if(NOT version STREQUAL "")
    message(STATUS "${name} ${version}: ${why}")
  else()
    message(STATUS "${name} MISSING: ${why}")
  endif()
endfunction()

# icl_require(NAME VERSION WHY): the same for a package that nothing can be built without.
macro(icl_require name version why)
  icl_report("${name}" "${version}" "${why}")
  if("${version}" STREQUAL "")
    list(APPEND ICL_MISSING "${name}")
  endif()
endmacro()

# icl_pkg(PREFIX NAME...): the first of these pkg-config modules that exists, as the target PkgConfig::PREFIX.
macro(icl_pkg prefix)
  if(PkgConfig_FOUND)
    pkg_search_module(${prefix} QUIET IMPORTED_TARGET ${ARGN})
  endif()
endmacro()

find_package(OpenMP QUIET COMPONENTS C)
icl_require("OpenMP" "${OpenMP_C_VERSION}" "the threads of the CPU backend")
find_package(DNNL QUIET)
icl_require("oneDNN" "${DNNL_VERSION}" "convolutions on the CPU")
find_package(ZLIB QUIET)
icl_require("zlib" "${ZLIB_VERSION_STRING}" "data sets in .gz files, checksums")
icl_pkg(JPEG "libjpeg")
icl_require("libjpeg" "${JPEG_VERSION}" "JPEG images")
icl_pkg(PNG "libpng")
icl_require("libpng" "${PNG_VERSION}" "PNG images")
icl_pkg(JANSSON "jansson>=2.8")
icl_require("jansson" "${JANSSON_VERSION}" "the headers of safetensors files")
icl_pkg(LUA lua5.4 lua-5.4 lua54)
icl_report("Lua" "${LUA_VERSION}" "the executable icl and the Lua module (without it: only libicl)")
icl_pkg(EDIT libedit)
icl_report("libedit" "${EDIT_VERSION}" "history, completion and line editing at the prompt (without it: a plain prompt)")

if(ICL_MISSING)
  list(JOIN ICL_MISSING ", " missing)
  message(FATAL_ERROR "missing: ${missing}. `sh third_party/setup.sh` installs what icl needs.")
endif()

set(ICL_WITH_LUA ${LUA_FOUND})
set(ICL_WITH_EDIT ${EDIT_FOUND})
find_package(Threads REQUIRED)
add_library(icl_dependencies INTERFACE)
target_link_libraries(icl_dependencies INTERFACE
  OpenMP::OpenMP_C DNNL::DNNL ZLIB::ZLIB PkgConfig::JPEG PkgConfig::PNG PkgConfig::JANSSON Threads::Threads m
  ${CMAKE_DL_LIBS})
