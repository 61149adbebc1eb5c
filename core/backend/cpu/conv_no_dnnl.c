/* conv_no_dnnl.c - in place of conv_dnnl.c in a build without oneDNN: our own kernels compute every convolution. */
#include "backend/cpu/conv_dnnl.h"

const icl__dnnl_functions *const icl__dnnl_library = NULL;
