# lua_programs.cmake - the executable `icl` and the module icl.so: the same bindings with the Lua library inside.
file(GLOB binding_sources CONFIGURE_DEPENDS bindings/*.c)
file(GLOB_RECURSE lua_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/lua lua/icl/*.lua)
set(main_source ${CMAKE_SOURCE_DIR}/bindings/main.c)
if(NOT main_source IN_LIST binding_sources)
  message(STATUS "bindings/main.c is not there: only libicl is built")
  return()
endif()
list(REMOVE_ITEM binding_sources ${main_source})

set(embedded ${CMAKE_BINARY_DIR}/embedded.c)
list(TRANSFORM lua_sources PREPEND ${CMAKE_SOURCE_DIR}/lua/ OUTPUT_VARIABLE lua_files)
add_custom_command(OUTPUT ${embedded}
  COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR}/lua "-DMODULES=${lua_sources}" -DOUTPUT=${embedded}
    -P ${CMAKE_SOURCE_DIR}/third_party/cmake/embed.cmake
  DEPENDS ${lua_files} ${CMAKE_SOURCE_DIR}/third_party/cmake/embed.cmake
  COMMENT "Embedding the Lua library" VERBATIM)

add_library(icl_bindings OBJECT ${binding_sources} ${embedded})
# libcurl is loaded when it is needed: it would take longer than the start of the program.
target_link_libraries(icl_bindings PRIVATE icl_flags PUBLIC icl_static PkgConfig::LUA PkgConfig::MD)
target_include_directories(icl_bindings PRIVATE ${CURL_INCLUDE_DIRS})
target_include_directories(icl_bindings PRIVATE ${CMAKE_SOURCE_DIR}/bindings)

# Lua modules written in C find the symbols of Lua in the executable's libraries, as they do with lua5.4.
add_executable(icl ${main_source} $<TARGET_OBJECTS:icl_bindings>)
target_link_libraries(icl PRIVATE icl_flags icl_static PkgConfig::LUA PkgConfig::MD)
target_include_directories(icl PRIVATE ${CMAKE_SOURCE_DIR}/bindings)
target_compile_definitions(icl_bindings PRIVATE ICL_WITH_EDIT=$<BOOL:${ICL_WITH_EDIT}>)
target_compile_definitions(icl PRIVATE ICL_WITH_EDIT=$<BOOL:${ICL_WITH_EDIT}>)
if(ICL_WITH_EDIT)
  target_link_libraries(icl_bindings PUBLIC PkgConfig::EDIT)
  target_link_libraries(icl PRIVATE PkgConfig::EDIT)
endif()
install(TARGETS icl)

# The interpreter that loads the module brings Lua along, so the module itself is not linked with it.
set(module_exports ${CMAKE_SOURCE_DIR}/bindings/module.map)
add_library(icl_module MODULE $<TARGET_OBJECTS:icl_bindings>)
target_link_libraries(icl_module PRIVATE icl_flags icl_static PkgConfig::MD $<$<BOOL:${ICL_WITH_EDIT}>:PkgConfig::EDIT>)
target_link_options(icl_module PRIVATE -Wl,--version-script=${module_exports})
set_target_properties(icl_module PROPERTIES PREFIX "" OUTPUT_NAME icl LINK_DEPENDS ${module_exports}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lua)
install(TARGETS icl_module DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.4)
list(APPEND ICL_INSTALLED icl icl_module)
