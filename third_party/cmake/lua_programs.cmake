# lua_programs.cmake - the executable `icl` and the module icl.so: the same bindings with the Lua library inside.
file(GLOB binding_sources CONFIGURE_DEPENDS bindings/*.c)
file(GLOB_RECURSE lua_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/lua lua/icl/*.lua)
set(main_source ${CMAKE_SOURCE_DIR}/bindings/main.c)
if(NOT main_source IN_LIST binding_sources)
  message(STATUS "bindings/main.c is not there: only libicl is built")
  return()
endif()
list(REMOVE_ITEM binding_sources ${main_source})

file(GLOB recipe_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} recipes/*.lua)

# Makes OUTPUT of the files `sources` below `root`, as the array `array`.
function(icl_embed array output root sources)
  set(script ${CMAKE_SOURCE_DIR}/third_party/cmake/embed.cmake)
  list(TRANSFORM sources PREPEND ${root}/ OUTPUT_VARIABLE files)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOT=${root} "-DMODULES=${sources}" -DARRAY=${array} -DOUTPUT=${output} -P ${script}
    DEPENDS ${files} ${script} COMMENT "Embedding ${array}" VERBATIM)
endfunction()
set(embedded ${CMAKE_BINARY_DIR}/embedded.c ${CMAKE_BINARY_DIR}/embedded_recipes.c)
icl_embed(icl__embedded ${CMAKE_BINARY_DIR}/embedded.c ${CMAKE_SOURCE_DIR}/lua "${lua_sources}")
icl_embed(icl__embedded_recipes ${CMAKE_BINARY_DIR}/embedded_recipes.c ${CMAKE_SOURCE_DIR} "${recipe_sources}")

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
