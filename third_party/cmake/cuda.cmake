# cuda.cmake - looks for the CUDA toolkit, which only the CUDA backend and its tests need, and says what is there.
#
# Sets ICL_CUDA_INCLUDE, the folder of its headers, and ICL_NVCC, its compiler; what is missing is empty.
find_path(ICL_CUDA_INCLUDE cuda_runtime_api.h HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda
  PATH_SUFFIXES include)
find_program(ICL_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
mark_as_advanced(ICL_CUDA_INCLUDE ICL_NVCC)
foreach(part ICL_CUDA_INCLUDE ICL_NVCC)
  if(NOT ${part})
    set(${part} "")
  endif()
endforeach()
if(ICL_CUDA_INCLUDE AND ICL_NVCC)
  message(STATUS "CUDA toolkit: headers and nvcc of ${ICL_NVCC}")
elseif(ICL_CUDA_INCLUDE)
  message(STATUS "CUDA toolkit: headers in ${ICL_CUDA_INCLUDE}, no nvcc")
else()
  message(STATUS "CUDA toolkit: not found; the tests of the CUDA kernels are left out")
endif()
