/* test_engines.c - convolutions where cuDNN refuses engines, which its double does on demand. */
#include "unit.h"

#include <stdlib.h>

#include "backend/cuda/conv.h"
#include "files.h"

static icl__cuda_device *open_device(void) {
  icl__device_options options = {.threads = 1, .precision = "f32"};
  void *device;
  CHECK_OK(icl__cuda_open(&options, &device));
  return device;
}

static void close_device(icl__cuda_device *device) {
  icl__cuda_conv_free_all(device);
  icl__cuda_close(device);
}

static const icl__cuda_conv_shape shape = {
    ICL__CUDA_CONV_WEIGHT, ICL_F32, {2, 8, 8, 16}, {2, 8, 8, 32}, {3, 3}, {1, 1}, {1, 1}, 1};

TEST(the_next_engine_is_taken_where_one_is_refused) {
  setenv("XDG_CACHE_HOME", file_path("cache"), 1);
  setenv("CUDASIM_ENGINES_REFUSED", ",1,", 1);
  icl__cuda_device *device = open_device();
  icl__cuda_conv *conv;
  CHECK_OK(icl__cuda_conv_find(device, &shape, &conv));
  CHECK_STR(icl__cuda_conv_name(conv), "cudnn engine 0 2=0"); /* others round f32, or change from run to run */
  close_device(device);
}

TEST(an_engine_is_compiled_where_there_is_no_other) {
  setenv("XDG_CACHE_HOME", file_path("cache"), 1);
  setenv("CUDASIM_ENGINES_REFUSED", ",7,1,0,", 1);
  icl__cuda_device *device = open_device();
  icl__cuda_conv_shape half = shape;
  icl__cuda_conv *conv;
  half.dtype = ICL_BF16;
  CHECK_OK(icl__cuda_conv_find(device, &half, &conv));
  CHECK_STR(icl__cuda_conv_name(conv), "cudnn engine 3 2=0");
  close_device(device);
}

TEST(what_was_chosen_and_is_refused_later_is_chosen_anew) {
  setenv("XDG_CACHE_HOME", file_path("cache"), 1);
  setenv("CUDASIM_ENGINES_REFUSED", ",0,", 1);
  icl__cuda_device *device = open_device();
  icl__cuda_conv *conv;
  CHECK_OK(icl__cuda_conv_find(device, &shape, &conv));
  CHECK_CONTAINS(icl__cuda_conv_name(conv), "cudnn engine 1");
  close_device(device);
  setenv("CUDASIM_ENGINES_REFUSED", ",1,", 1);
  device = open_device();
  CHECK_OK(icl__cuda_conv_find(device, &shape, &conv));
  CHECK_STR(icl__cuda_conv_name(conv), "cudnn engine 0 2=0");
  close_device(device);
}

TEST(no_engine_is_an_error_that_names_all) {
  setenv("XDG_CACHE_HOME", file_path("cache"), 1);
  setenv("CUDASIM_ENGINES_REFUSED", "all", 1);
  icl__cuda_device *device = open_device();
  icl__cuda_conv *conv;
  CHECK_ERROR(icl__cuda_conv_find(device, &shape, &conv), ICL_ENOTSUP,
              "conv2d_weight_grad: cuDNN 9.19.0 has no deterministic engine for x (2, 8, 8, 16) and weights "
              "(3, 3, 16, 32) of f32 without TF32, stride 1 1, padding 1 1, groups 1 on ");
  CHECK_CONTAINS(icl_message(), "use precision tf32 or compute on the device cpu");
  close_device(device);
}

TEST(a_shape_that_is_none_says_what_cudnn_says) {
  icl__cuda_conv_shape wrong = shape;
  icl__cuda_device *device = open_device();
  icl__cuda_conv *conv;
  wrong.y[1] = 9;
  CHECK_ERROR(icl__cuda_conv_find(device, &wrong, &conv), ICL_EBACKEND, "CUDNN_STATUS_BAD_PARAM");
  close_device(device);
}
