/* embed.c - a program that uses the installed library: (1, 2, 3) + (10, 20, 30), recorded and read.
 *
 * tests/install/run.sh builds it through pkg-config. */
#include <icl.h>

#include <stdio.h>

static icl_status add(icl_engine *engine, float sum[3]) {
  int32_t shape[] = {3};
  float ones[] = {1, 2, 3}, tens[] = {10, 20, 30};
  icl_tensor *inputs[2] = {0}, *result = NULL;
  icl_status status = icl_tensor_new(engine, ICL_F32, 1, shape, ones, &inputs[0]);
  if (status == ICL_OK)
    status = icl_tensor_new(engine, ICL_F32, 1, shape, tens, &inputs[1]);
  if (status == ICL_OK)
    status = icl_apply(engine, icl_op_find("add"), 2, inputs, NULL, &result);
  if (status == ICL_OK)
    status = icl_tensor_read(result, ICL_F32, sum);
  icl_tensor_release(result);
  icl_tensor_release(inputs[1]);
  icl_tensor_release(inputs[0]);
  return status;
}

int main(void) {
  icl_engine *engine = NULL;
  float sum[3] = {0};
  icl_status status = icl_engine_new(NULL, &engine);
  if (status == ICL_OK)
    status = add(engine, sum);
  if (status != ICL_OK)
    fprintf(stderr, "%s: %s\n", icl_status_name(status), icl_message());
  icl_engine_free(engine);
  return !(sum[0] == 11 && sum[1] == 22 && sum[2] == 33);
}
