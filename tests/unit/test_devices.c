/* test_devices.c - devices by name, and what holds for one with a memory of its own that works late (tests/far). */
#include "nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* ---- names ---- */

static void refused(const char *device, icl_status status, const char *part) {
  icl_engine *engine = NULL;
  CHECK_ERROR(icl_engine_new(&(icl_config){.device = device, .threads = 1}, &engine), status, part);
}

TEST(a_name_that_is_none_says_what_there_is) {
  refused("", ICL_EINVAL, "choose cpu, ref");
  refused("../x", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:x", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:-1", ICL_EINVAL, "choose cpu, ref");
  refused("cuda:123456789012345678901", ICL_EINVAL, "choose cpu, ref");
  refused("cpu:0", ICL_EINVAL, "there is one cpu");
}

TEST(a_plug_in_that_is_not_there_says_where_it_was_looked_for) {
  setenv("ICL_PLUGINS", "/nowhere/a:/nowhere/b", 1);
  refused("nothing", ICL_ENOENT, "no libicl_nothing.so in /nowhere/a, /nowhere/b, ");
  refused("nothing:2", ICL_ENOENT, "device 'nothing:2' cannot be used");
}

TEST(a_plug_in_that_cannot_be_used_says_why) {
  setenv("FAR_REFUSE", "there is no driver", 1);
  refused("far", ICL_ENOTSUP, "device 'far' cannot be used; cpu and ref are built in: far: there is no driver");
}

TEST(a_file_that_is_no_plug_in_says_so) {
  char folder[] = "/tmp/icl-plugin-XXXXXX", path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/libicl_broken.so", folder);
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  fputs("nothing", file);
  fclose(file);
  setenv("ICL_PLUGINS", folder, 1);
  refused("broken", ICL_ENOTSUP, path);
  remove(path);
  remove(folder);
}

static void described(const icl_config *config, const char *part) {
  icl_engine *engine;
  char text[256];
  CHECK_OK(icl_engine_new(config, &engine));
  icl_engine_describe_device(engine, text, sizeof text);
  CHECK_CONTAINS(text, part);
  icl_engine_free(engine);
}

TEST(a_device_gets_its_number_and_its_options) {
  described(&(icl_config){.device = "far"}, "far:0: f32;");
  described(&(icl_config){.device = "far:0"}, "far:0: f32;");
  described(&(icl_config){.device = "far:1", .precision = "tf32"}, "far:1: tf32;");
  described(&(icl_config){.device = "far", .deterministic = true}, "f32, deterministic;");
  described(&(icl_config){.deterministic = true, .precision = "f32"}, "cpu");
  refused("far:2", ICL_ENOENT, "devices 0 and 1, not 2");
}

TEST(a_precision_that_a_device_has_not_is_refused) {
  icl_engine *engine;
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "tf32"}, &engine), ICL_ENOTSUP, "cpu has no precision tf32");
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "f3"}, &engine), ICL_ENOTSUP, "it has f32");
  CHECK_ERROR(icl_engine_new(&(icl_config){.precision = "", .device = "far"}, &engine), ICL_ENOTSUP, "f32 tf32");
}

/* ---- a memory of its own ---- */

enum { STEPS = 4, IMAGES = 6, SIZE = 8 };

static net *far_net(void) { return net_new(&(icl_config){.device = "far", .threads = 1}); }

/* Some steps of a network with batch norm and momentum; the loss of each is kept. */
static void train(net *n, float losses[STEPS]) {
  icl_tensor *x = net_images(n, IMAGES, SIZE, 3), *labels = net_labels(n, IMAGES);
  for (int i = 0; i < STEPS; i++) {
    net_rewind(n);
    CHECK_OK(icl_step_begin(n->engine));
    icl_tensor *loss = net_loss(n, net_resnet(n, x, 1, 8), labels);
    net_update(n, loss, 0.1);
    CHECK_OK(icl_tensor_keep(loss));
    CHECK_OK(icl_step_end(n->engine));
    CHECK_OK(icl_tensor_read(loss, ICL_F32, &losses[i]));
  }
  net_clear(n);
}

static void same_states(net *a, net *b) {
  CHECK_EQ(a->states, b->states);
  for (int i = 0; i < a->states; i++) {
    size_t count = 1;
    for (int k = 0; k < icl_state_rank(a->state[i]); k++)
      count *= (size_t)icl_state_shape(a->state[i])[k];
    float *x = calloc(count, sizeof *x), *y = calloc(count, sizeof *y);
    CHECK_OK(icl_state_get(a->state[i], ICL_F32, x));
    CHECK_OK(icl_state_get(b->state[i], ICL_F32, y));
    CHECK(memcmp(x, y, count * sizeof *x) == 0);
    free(x);
    free(y);
  }
}

TEST(training_in_a_memory_of_its_own_gives_the_bytes_of_the_cpu) {
  float losses[2][STEPS];
  net *cpu = net_new(&(icl_config){.threads = 1}), *far = far_net();
  train(cpu, losses[0]);
  train(far, losses[1]);
  CHECK(memcmp(losses[0], losses[1], sizeof losses[0]) == 0);
  same_states(cpu, far);
  net_free(cpu);
  net_free(far);
}

TEST(a_version_that_was_read_stays_what_it_is_there) {
  net *n = far_net();
  icl_state *s = net_scalar(n, 1, false);
  icl_tensor *before = net_read(n, s);
  CHECK_OK(icl_step_begin(n->engine));
  CHECK_OK(icl_state_write(s, net_op2(n, "add", net_read(n, s), net_number(n, 1)), NULL));
  CHECK_OK(icl_step_end(n->engine));
  CHECK_NEAR(net_item(before), 1, 0);
  CHECK_NEAR(net_stored(s), 2, 0);
  net_clear(n);
  net_close(n, s);
}

TEST(the_memory_of_a_device_is_a_limit_of_its_own) {
  net *n = net_new(&(icl_config){.device = "far:1", .threads = 1});
  icl_tensor *x = net_images(n, 1024, 8, 3);
  CHECK_OK(icl_step_begin(n->engine));
  icl_tensor *y = net_conv(n, x, 3, 512, 1);
  icl_tensor *sum = net_mean(n, net_batch_norm(n, y));
  CHECK_OK(icl_tensor_keep(sum));
  CHECK_ERROR(icl_step_end(n->engine), ICL_ENOMEM, "% of this one fits");
  net_free(n);
}
