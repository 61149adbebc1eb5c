/* fuzz_network.c - whatever text is read as the description of a network: an error, or a network that can be recorded.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"
#include "network/network.h"

static const char *const seeds[] = {
    "{\"network\":{\"version\":1,\"shape\":[4,4,3],\"also\":[3,3],\"output\":10,\"nodes\":[{\"op\":\"images\"},"
    "{\"op\":\"state\",\"name\":\"w\",\"axes\":[3,2,0,1]},"
    "{\"op\":\"conv2d\",\"of\":[0,1],\"attributes\":{\"stride\":[1,1],\"padding\":[1,1],\"groups\":1},\"layer\":\"a\"},"
    "{\"op\":\"relu\",\"of\":[2]},{\"op\":\"max_pool2d\",\"of\":[3],\"attributes\":{\"kernel\":[2,2],\"stride\":[2,2],"
    "\"padding\":[0,0]}},{\"op\":\"global_avg_pool\",\"of\":[4]},{\"op\":\"number\",\"value\":0.5},"
    "{\"op\":\"mul\",\"of\":[5,6]},{\"op\":\"constant\",\"dtype\":\"f32\",\"shape\":[{\"batch\":1},2],\"fill\":1},"
    "{\"op\":\"constant\",\"dtype\":\"f32\",\"shape\":[2],\"values\":[1,\"inf\"]},{\"op\":\"add_n\",\"of\":[7,8]}]},"
    "\"data\":{\"mean\":[0.5,0.5,0.5],\"std\":[1,1,1],\"class_names\":[\"a\",\"b\"],"
    "\"evaluation\":{\"resize\":5,\"crop\":4}}}",
    "{\"network\":{\"version\":1,\"shape\":[2,2,1],\"output\":5,\"nodes\":[{\"op\":\"images\"},"
    "{\"op\":\"reshape\",\"of\":[0],\"attributes\":{\"shape\":[{\"batch\":2},2]}},"
    "{\"op\":\"pad\",\"of\":[1],\"attributes\":{\"low\":[0,1],\"high\":[0,1],\"value\":0}},"
    "{\"op\":\"concat\",\"of\":[2,2],\"attributes\":{\"dim\":1}},"
    "{\"op\":\"permute\",\"of\":[3],\"attributes\":{\"dims\":[0,1]}},"
    "{\"op\":\"reshape\",\"of\":[4],\"attributes\":{\"shape\":[{\"batch\":1},16]}}]}}",
    "{\"network\":{\"version\":1,\"shape\":[2,2,2],\"output\":9,\"nodes\":[{\"op\":\"images\"},"
    "{\"op\":\"state\",\"name\":\"v\"},{\"op\":\"bn_inference\",\"of\":[1,1,1,1],\"attributes\":{\"eps\":1e-5}},"
    "{\"op\":\"scale_shift\",\"of\":[0,2],\"attributes\":{\"relu\":true}},"
    "{\"op\":\"sum\",\"of\":[3],\"attributes\":{\"dims\":[1,2],\"keepdim\":false}},"
    "{\"op\":\"cast\",\"of\":[4],\"attributes\":{\"dtype\":\"f64\"}},"
    "{\"op\":\"cast\",\"of\":[5],\"attributes\":{\"dtype\":\"f32\"}},{\"op\":\"constant\",\"tensor\":\"i\"},"
    "{\"op\":\"gather\",\"of\":[6,7]},{\"op\":\"narrow\",\"of\":[6,7],\"attributes\":{\"dim\":0,\"length\":2}}]}}",
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

const char *const fuzz_words[] = {"\"op\":\"sub\"",
                                  "\"op\":\"matmul\"",
                                  "\"op\":\"one_hot\"",
                                  "\"op\":\"avg_pool2d\"",
                                  "\"op\":\"softmax\"",
                                  "\"op\":\"sum_to\"",
                                  "\"op\":\"uniform\"",
                                  "\"op\":\"crop\"",
                                  "\"op\":\"argmax\"",
                                  "\"op\":\"conv2d_input_grad\"",
                                  "\"op\":\"conv2d_weight_grad\"",
                                  "\"op\":\"broadcast_to\"",
                                  "\"dim\":",
                                  "\"classes\":",
                                  "\"size\":[1,1]",
                                  "\"shape\":",
                                  "\"also\":[2,2],",
                                  "\"dtype\":\"i64\"",
                                  "\"dtype\":\"u8\"",
                                  "\"nan\"",
                                  "{\"batch\":1}",
                                  "{\"batch\":16777216}",
                                  "[0]",
                                  "[0,0]",
                                  "[]",
                                  "{}",
                                  "{\"op\":\"images\"},",
                                  "null",
                                  "true",
                                  "-1",
                                  "1e300",
                                  "65536",
                                  "2147483647",
                                  "-2147483648",
                                  "9223372036854775807",
                                  NULL};

size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  if (index >= SEEDS)
    return 0;
  memcpy(data, seeds[index], strlen(seeds[index]));
  return strlen(seeds[index]);
}

/* The tensors of the file, which are right. */
static icl_safetensors tensors(void) {
  static const float numbers[2 * 3 * 3 * 3] = {1, 2};
  static const int64_t indices[1] = {0};
  static const icl_array arrays[] = {
      {.name = "w", .dtype = ICL_F32, .rank = 4, .shape = {2, 3, 3, 3}, .data = numbers},
      {.name = "model.v", .dtype = ICL_F32, .rank = 1, .shape = {2}, .data = numbers},
      {.name = "i", .dtype = ICL_I64, .rank = 1, .shape = {1}, .data = indices},
  };
  return (icl_safetensors){.count = sizeof arrays / sizeof *arrays, .arrays = arrays};
}

/* Records it for a batch. */
static void use(icl_network *network, icl_engine *engine) {
  const icl_network_facts *facts = icl_network_about(network);
  int32_t shape[] = {1, facts->height, facts->width, facts->channels};
  size_t count = (size_t)facts->height * (size_t)facts->width * (size_t)facts->channels;
  if (count > 1 << 16)
    return;
  float *zeros = calloc(count, sizeof *zeros);
  icl_tensor *images, *logits;
  FUZZ_REQUIRE(zeros && icl_tensor_new(engine, ICL_F32, 4, shape, zeros, &images) == ICL_OK);
  FUZZ_REQUIRE(icl_step_begin(engine) == ICL_OK);
  if (icl_network_apply(network, images, &logits) == ICL_OK)
    icl_tensor_release(logits);
  icl_step_cancel(engine);
  icl_tensor_release(images);
  free(zeros);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static icl_engine *engine;
  FUZZ_REQUIRE(engine || icl_engine_new(&(icl_config){.device = "ref", .threads = 1}, &engine) == ICL_OK);
  json_error_t error;
  icl__json *metadata;
  if (icl__json_parse((const char *)data, bytes, JSON_REJECT_DUPLICATES, &error, &metadata) != ICL_OK)
    return 0;
  icl_safetensors contents = tensors();
  icl_network *network;
  icl_status status = icl__network_parse(engine, "input", metadata, &contents, &network);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT || status == ICL_ENOTSUP);
  FUZZ_REQUIRE(status == ICL_OK || !strncmp(icl_message(), "input: ", 7));
  FUZZ_REQUIRE(!icl_in_step(engine));
  if (status == ICL_OK) {
    use(network, engine);
    icl_network_free(network);
  }
  return 0;
}
