# kernels.cmake - compiles core/backend/cpu/kernels/*.c once for each instruction set that the compiler knows; for AMX,
# which has instructions for convolutions only, the files that are named for it.
#
# Each variant sees -DICL_ISA=<variant> and suffixes its symbols with it; which one runs is decided when the program
# starts. The rest of the core sees ICL_HAVE_<VARIANT>=0 or 1. Sets ICL_KERNEL_OBJECTS and ICL_KERNEL_DEFINITIONS.
set(isa_avx512bf16 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mavx512bf16)
set(isa_amx ${isa_avx512bf16} -mamx-tile -mamx-bf16)
set(isa_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
set(isa_avx2 -mavx2 -mfma -mf16c)
set(isa_portable "")

# Checks of every access in unrolled code take minutes to compile, and are the same in code that is not.
set(kernel_optimization $<$<NOT:$<CONFIG:Debug>>:-O3>)
if(ICL_SANITIZE)
  set(kernel_optimization -O1)
endif()

# GCC 13 and later make no fused multiply-add of long chains in 256 bits, unless they are told to: slower, and a sum would
# depend on how many rows a loop takes at once.
set(kernel_fma $<$<C_COMPILER_ID:GNU>:--param=avoid-fma-max-bits=0>)

# Clang tells of loops that it may, and does not, make vectors of.
set(kernel_warnings $<$<C_COMPILER_ID:Clang>:-Wno-pass-failed>)

file(GLOB kernel_sources CONFIGURE_DEPENDS core/backend/cpu/kernels/*.c)
file(GLOB amx_sources CONFIGURE_DEPENDS core/backend/cpu/kernels/amx_*.c)
# Bytes of pictures are the same wherever they are computed; see core/ops/picture.h.
set_source_files_properties(core/backend/cpu/kernels/picture.c core/backend/ref/picture.c PROPERTIES
  COMPILE_OPTIONS -ffp-contract=off)
set(ICL_KERNEL_OBJECTS "")
set(ICL_KERNEL_DEFINITIONS "")
set(built "")
foreach(isa amx avx512bf16 avx512 avx2 portable)
  string(TOUPPER ICL_HAVE_${isa} have)
  if(NOT isa STREQUAL portable AND NOT isa IN_LIST ICL_ISAS)
    list(APPEND ICL_KERNEL_DEFINITIONS ${have}=0)
    continue()
  endif()
  list(JOIN isa_${isa} " " flags)
  if(isa STREQUAL portable)
    set(ICL_COMPILES_${isa} ON)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    check_c_compiler_flag("${flags}" ICL_COMPILES_${isa})
  endif()

  if(ICL_COMPILES_${isa})
    list(APPEND built ${isa})
    list(APPEND ICL_KERNEL_DEFINITIONS ${have}=1)
    set(sources ${kernel_sources})
    if(isa STREQUAL amx)
      set(sources ${amx_sources})
    endif()
    if(sources)
      add_library(icl_kernels_${isa} OBJECT ${sources})
      target_link_libraries(icl_kernels_${isa} PRIVATE icl_flags)
      target_compile_definitions(icl_kernels_${isa} PRIVATE ICL_ISA=${isa})
      target_compile_options(icl_kernels_${isa} PRIVATE ${isa_${isa}} ${kernel_optimization}
        -fno-math-errno -fno-trapping-math -ffp-contract=fast ${kernel_fma} ${kernel_warnings} -fopenmp-simd)
      list(APPEND ICL_KERNEL_OBJECTS $<TARGET_OBJECTS:icl_kernels_${isa}>)
    endif()
  else()
    list(APPEND ICL_KERNEL_DEFINITIONS ${have}=0)
  endif()
endforeach()
list(JOIN built " " built)
message(STATUS "vector kernels for ${CMAKE_SYSTEM_PROCESSOR}: ${built}")
