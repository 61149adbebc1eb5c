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
# One of the files conv_dnnl.c and conv_no_dnnl.c is left out.
if(ICL_WITH_ONEDNN)
  find_package(DNNL QUIET)
  icl_require("oneDNN" "${DNNL_VERSION}" "convolutions on the CPU (-DICL_WITH_ONEDNN=OFF builds without)")
  set(ICL_DNNL DNNL::DNNL)
  set(ICL_OTHER_DNNL no_dnnl)
else()
  message(STATUS "oneDNN left out: our own kernels do every convolution")
  set(ICL_DNNL "")
  set(ICL_OTHER_DNNL dnnl)
endif()
find_package(ZLIB QUIET)
icl_require("zlib" "${ZLIB_VERSION_STRING}" "data sets in .gz files, checksums")
icl_pkg(JPEG "libjpeg")
icl_require("libjpeg" "${JPEG_VERSION}" "JPEG images")
icl_pkg(PNG "libpng")
icl_require("libpng" "${PNG_VERSION}" "PNG images")
icl_pkg(JANSSON "jansson>=2.8")
icl_require("jansson" "${JANSSON_VERSION}" "the headers of safetensors files")
icl_pkg(ZIP "libzip")
icl_require("libzip" "${ZIP_VERSION}" "arrays in the .npz files of numpy")
# icl_loaded(PREFIX NAME WHY LIBRARY MODULE...): a library that the program loads when it needs it, found by pkg-config.
# ICL_PREFIX_LIBRARY is the name that the loader finds LIBRARY by; what is built does not link it.
function(icl_loaded prefix name why library)
  icl_pkg(${prefix} ${ARGN})
  icl_report("${name}" "${${prefix}_VERSION}" "${why}")
  find_library(ICL_${prefix}_FILE ${library} HINTS ${${prefix}_LIBRARY_DIRS})
  if(NOT ${prefix}_FOUND OR NOT ICL_${prefix}_FILE)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${ICL_${prefix}_FILE} OUTPUT_VARIABLE headers ERROR_QUIET)
  if(headers MATCHES "SONAME +([^ \n]+)")
    set(definition ICL_${prefix}_LIBRARY="${CMAKE_MATCH_1}")
    set_property(DIRECTORY APPEND PROPERTY COMPILE_DEFINITIONS ${definition})
    include_directories(SYSTEM ${${prefix}_INCLUDE_DIRS})
  endif()
endfunction()

icl_loaded(WEBP "libwebp" "WebP images (without it: an error where one is read)" webpdemux libwebpdemux)
icl_loaded(TIFF "libtiff" "TIFF images (without it: an error where one is read)" tiff "libtiff-4>=4.5")
icl_pkg(LUA lua5.4 lua-5.4 lua54)
icl_report("Lua" "${LUA_VERSION}" "the executable icl and the Lua module (without it: only libicl)")
if(LUA_FOUND)
  icl_pkg(CURL libcurl)
  icl_require("libcurl" "${CURL_VERSION}" "downloads of data sets (to build, only its headers)")
  icl_pkg(MD libmd)
  icl_require("libmd" "${MD_VERSION}" "digests of what was downloaded")
endif()
icl_pkg(EDIT libedit)
icl_report("libedit" "${EDIT_VERSION}" "history, completion and line editing at the prompt (without it: a plain prompt)")

# Open MPI, or another one: the one whose mpi-c.pc is found first.
icl_pkg(MPI mpi-c ompi-c mpich)
icl_report("MPI" "${MPI_VERSION}" "many processes, by mpirun (without it: over plain sockets)")

if(ICL_MISSING)
  list(JOIN ICL_MISSING ", " missing)
  message(FATAL_ERROR "missing: ${missing}. `sh third_party/setup.sh` installs what icl needs.")
endif()

set(ICL_WITH_LUA ${LUA_FOUND})
set(ICL_WITH_EDIT ${EDIT_FOUND})
set(ICL_WITH_MPI ${MPI_FOUND})
find_package(Threads REQUIRED)
add_library(icl_dependencies INTERFACE)
target_link_libraries(icl_dependencies INTERFACE
  OpenMP::OpenMP_C ${ICL_DNNL} ZLIB::ZLIB PkgConfig::JPEG PkgConfig::PNG PkgConfig::JANSSON
  PkgConfig::ZIP Threads::Threads m ${CMAKE_DL_LIBS})
