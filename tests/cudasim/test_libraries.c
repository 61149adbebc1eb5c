/* test_libraries.c - how cuDNN, cuBLAS and NCCL are found. ICL_CUDA_LIBRARIES names the folder of their doubles. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda/libraries.h"
#include "files.h"

TEST(libraries_are_opened_once) {
  const icl__cuda_libraries *first, *again;
  const char *folder = getenv("ICL_CUDA_LIBRARIES");
  CHECK_OK(icl__cuda_open_libraries(&first));
  CHECK_CONTAINS(first->cudnn_path, folder);
  CHECK_CONTAINS(first->cublas_path, folder);
  CHECK(first->cudnn.cudnnGetVersion() >= 90000);
  setenv("ICL_CUDA_LIBRARIES", "/none", 1);
  CHECK_OK(icl__cuda_open_libraries(&again));
  CHECK(first == again);
}

TEST(every_folder_of_the_list_is_looked_through) {
  const icl__cuda_libraries *l;
  char list[5000];
  snprintf(list, sizeof list, "/none::%s", getenv("ICL_CUDA_LIBRARIES"));
  setenv("ICL_CUDA_LIBRARIES", list, 1);
  CHECK_OK(icl__cuda_open_libraries(&l));
}

TEST(a_library_that_is_nowhere_is_an_error_that_says_where) {
  const icl__cuda_libraries *l;
  setenv("ICL_CUDA_LIBRARIES", "/none:/nothing", 1);
  CHECK_ERROR(icl__cuda_open_libraries(&l), ICL_ENOTSUP,
              "cuda: libcudnn.so.9 was not found in /none, /nothing, which ICL_CUDA_LIBRARIES names; install cuDNN 9 "
              "there or set ICL_CUDA_LIBRARIES to its folder");
}

TEST(one_of_two_is_not_enough) {
  const icl__cuda_libraries *l;
  char target[5000];
  snprintf(target, sizeof target, "%s/libcudnn.so.9", getenv("ICL_CUDA_LIBRARIES"));
  file_make_folder("half");
  CHECK_EQ(symlink(target, file_path("half/libcudnn.so.9")), 0);
  setenv("ICL_CUDA_LIBRARIES", file_path("half"), 1);
  CHECK_ERROR(icl__cuda_open_libraries(&l), ICL_ENOTSUP, "cuda: libcublas.so.13 was not found in ");
}

TEST(nccl_is_opened_when_a_group_needs_it) {
  const icl__nccl *n;
  int version = 0;
  CHECK_OK(icl__cuda_open_nccl(&n));
  CHECK_CONTAINS(n->path, getenv("ICL_CUDA_LIBRARIES"));
  CHECK_EQ(n->ncclGetVersion(&version), ncclSuccess);
  CHECK_EQ(version / 10000, 2);
}

TEST(a_group_without_nccl_says_what_to_install) {
  const icl__nccl *n;
  setenv("ICL_CUDA_LIBRARIES", "/none", 1);
  CHECK_ERROR(icl__cuda_open_nccl(&n), ICL_ENOTSUP,
              "cuda: libnccl.so.2 was not found in /none, which ICL_CUDA_LIBRARIES names; install NCCL 2 there or set "
              "ICL_CUDA_LIBRARIES to its folder");
}

TEST(a_damaged_library_says_what_the_loader_says) {
  const icl__cuda_libraries *l;
  file_make_folder("damaged");
  file_put("damaged/libcudnn.so.9", "no library", 10);
  setenv("ICL_CUDA_LIBRARIES", file_path("damaged"), 1);
  CHECK_ERROR(icl__cuda_open_libraries(&l), ICL_ENOTSUP, "cuda: libcudnn.so.9 cannot be opened: /");
  CHECK_CONTAINS(icl_message(), "file too short; install cuDNN 9");
}

TEST(a_library_without_our_functions_is_too_old) {
  const icl__cuda_libraries *l;
  char target[5000];
  snprintf(target, sizeof target, "%s/libcublas.so.13", getenv("ICL_CUDA_LIBRARIES"));
  file_make_folder("old");
  CHECK_EQ(symlink(target, file_path("old/libcudnn.so.9")), 0);
  setenv("ICL_CUDA_LIBRARIES", file_path("old"), 1);
  CHECK_ERROR(icl__cuda_open_libraries(&l), ICL_ENOTSUP, "has no function cudnnGetVersion; install a newer cuDNN 9");
}

/* The folders of the toolkit are looked through in this order, and each of them holds a cuDNN without functions. */
TEST(the_newest_of_several_is_taken) {
  const icl__cuda_libraries *l;
  char older[5000], newer[5000], message[6000];
  const char *doubles = getenv("ICL_CUDA_LIBRARIES");
  snprintf(older, sizeof older, "%s/../cudasim-cudnn/90000", doubles);
  snprintf(newer, sizeof newer, "%s/../cudasim-cudnn/99999", doubles);
  snprintf(message, sizeof message, "%s/lib64/libcudnn.so.9 has no function cudnnGetErrorString", newer);
  unsetenv("ICL_CUDA_LIBRARIES");
  setenv("CUDA_PATH", older, 1);
  setenv("CUDA_HOME", newer, 1);
  CHECK_EQ(icl__cuda_open_libraries(&l), ICL_ENOTSUP);
  CHECK_CONTAINS(icl_message(), message);
}
