/* dnnl_api.h - the part of oneDNN that convolutions need, in the form of its version 3, for version 2.6 too.
 *
 * Version 3 keeps descriptions of memory to itself and hands out pointers; 2.6 lets its user hold them, and describes a
 * convolution in two steps. Here a description is a pointer of ours or theirs, made and destroyed, and the functions
 * that 2.6 lacks are written by those that it has. The others are the same in both. */
#ifndef ICL_BACKEND_CPU_DNNL_API_H
#define ICL_BACKEND_CPU_DNNL_API_H

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t icl__dnnl_md;
typedef const_dnnl_memory_desc_t icl__dnnl_const_md;

static inline int64_t icl__dnnl_md_offset(icl__dnnl_const_md md) {
  int64_t offset = 0;
  dnnl_memory_desc_query(md, dnnl_query_submemory_offset_s64, &offset);
  return offset;
}

/* The result is added to what is there. */
static inline dnnl_status_t icl__dnnl_append_sum(dnnl_post_ops_t ops) {
  return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

#else

#include "base/memory.h"

typedef dnnl_memory_desc_t *icl__dnnl_md;
typedef const dnnl_memory_desc_t *icl__dnnl_const_md;

static inline int64_t icl__dnnl_md_offset(icl__dnnl_const_md md) { return md->offset0; }

static inline dnnl_status_t icl__dnnl_append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1); }

static inline dnnl_status_t dnnl_memory_desc_destroy(icl__dnnl_md md) {
  icl__free(md);
  return dnnl_success;
}

static inline dnnl_status_t icl__dnnl_keep_md(icl__dnnl_md *result, const dnnl_memory_desc_t *md,
                                              dnnl_status_t status) {
  if (status != dnnl_success)
    return status;
  *result = icl__calloc(1, sizeof **result);
  if (!*result)
    return dnnl_out_of_memory;
  **result = *md;
  return dnnl_success;
}

static inline dnnl_status_t dnnl_memory_desc_clone(icl__dnnl_md *result, icl__dnnl_const_md md) {
  return icl__dnnl_keep_md(result, md, dnnl_success);
}

static inline dnnl_status_t dnnl_memory_desc_create_with_tag(icl__dnnl_md *result, int axes, const dnnl_dims_t dims,
                                                             dnnl_data_type_t dtype, dnnl_format_tag_t tag) {
  dnnl_memory_desc_t md;
  return icl__dnnl_keep_md(result, &md, dnnl_memory_desc_init_by_tag(&md, axes, dims, dtype, tag));
}

static inline dnnl_status_t dnnl_memory_desc_create_with_strides(icl__dnnl_md *result, int axes, const dnnl_dims_t dims,
                                                                 dnnl_data_type_t dtype, const dnnl_dims_t strides) {
  dnnl_memory_desc_t md;
  return icl__dnnl_keep_md(result, &md, dnnl_memory_desc_init_by_strides(&md, axes, dims, dtype, strides));
}

static inline dnnl_status_t dnnl_memory_desc_create_submemory(icl__dnnl_md *result, icl__dnnl_const_md parent,
                                                              const dnnl_dims_t dims, const dnnl_dims_t offsets) {
  dnnl_memory_desc_t md;
  return icl__dnnl_keep_md(result, &md, dnnl_memory_desc_init_submemory(&md, parent, dims, offsets));
}

static inline dnnl_status_t dnnl_convolution_forward_primitive_desc_create(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm,
    icl__dnnl_const_md x, icl__dnnl_const_md w, icl__dnnl_const_md bias, icl__dnnl_const_md y, const dnnl_dims_t stride,
    const dnnl_dims_t dilation, const dnnl_dims_t before, const dnnl_dims_t after, const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t status =
      dnnl_dilated_convolution_forward_desc_init(&d, kind, algorithm, x, w, bias, y, stride, dilation, before, after);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &d, attr, engine, NULL) : status;
}

static inline dnnl_status_t dnnl_convolution_backward_data_primitive_desc_create(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, icl__dnnl_const_md gx,
    icl__dnnl_const_md w, icl__dnnl_const_md g, const dnnl_dims_t stride, const dnnl_dims_t dilation,
    const dnnl_dims_t before, const dnnl_dims_t after, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t status =
      dnnl_dilated_convolution_backward_data_desc_init(&d, algorithm, gx, w, g, stride, dilation, before, after);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &d, attr, engine, hint) : status;
}

static inline dnnl_status_t dnnl_convolution_backward_weights_primitive_desc_create(
    dnnl_primitive_desc_t *result, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, icl__dnnl_const_md x,
    icl__dnnl_const_md gw, icl__dnnl_const_md gbias, icl__dnnl_const_md g, const dnnl_dims_t stride,
    const dnnl_dims_t dilation, const dnnl_dims_t before, const dnnl_dims_t after, const_dnnl_primitive_desc_t hint,
    const_dnnl_primitive_attr_t attr) {
  dnnl_convolution_desc_t d;
  dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(&d, algorithm, x, gw, gbias, g, stride,
                                                                             dilation, before, after);
  return status == dnnl_success ? dnnl_primitive_desc_create(result, &d, attr, engine, hint) : status;
}

#endif

#endif
