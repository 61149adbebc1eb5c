/* trainings.c - see trainings.h. */
#include "trainings.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { MOST_VALUES = 1 << 19 };

/* Numbers that depend on their place alone. */
static float number_at(uint32_t seed, size_t i) {
  uint32_t h = (seed * 2654435761u) ^ (uint32_t)i * 2246822519u;
  h = (h ^ h >> 15) * 2246822519u;
  h = (h ^ h >> 13) * 3266489917u;
  return (float)(h >> 8) * 0x1p-23f - 1;
}

icl_tensor *training_images(net *n, int step, int first, int count) {
  int32_t shape[] = {count, TRAINING_SIZE, TRAINING_SIZE, TRAINING_CHANNELS};
  size_t each = TRAINING_SIZE * TRAINING_SIZE * TRAINING_CHANNELS;
  float *data = malloc((size_t)count * each * sizeof *data);
  for (size_t i = 0; i < (size_t)count * each; i++)
    data[i] = number_at((uint32_t)step, (size_t)first * each + i);
  icl_tensor *x = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_F32, 4, shape, data, &x));
  free(data);
  n->tensor[n->tensors++] = x;
  return x;
}

icl_tensor *training_labels(net *n, int first, int count) {
  int64_t data[256];
  for (int i = 0; i < count; i++)
    data[i] = (first + i) * 7 % 10;
  icl_tensor *labels = NULL;
  CHECK_OK(icl_tensor_new(n->engine, ICL_I64, 1, &count, data, &labels));
  n->tensor[n->tensors++] = labels;
  return labels;
}

icl_tensor *training_loss(net *n, const training *t, int step, int part, int parts) {
  int first = t->images * part / parts, count = t->images * (part + 1) / parts - first;
  net_rewind(n);
  icl_tensor *logits = t->layers(n, training_images(n, step, first, count), t->blocks, t->width);
  icl_tensor *loss = net_loss(n, logits, training_labels(n, first, count));
  return parts == 1 ? loss : net_op2(n, "mul", loss, net_number(n, (double)count / t->images));
}

void training_take(net *n, training *t, int rank) {
  float *values = t->value[rank] = malloc(MOST_VALUES * sizeof *values);
  for (int i = 0; i < n->states; i++) {
    if (!icl_state_trainable(n->state[i]) && !t->sync)
      continue; /* running statistics are each rank's own */
    int64_t count = 1;
    for (int d = 0; d < icl_state_rank(n->state[i]); d++)
      count *= icl_state_shape(n->state[i])[d];
    CHECK(t->count[rank] + count <= MOST_VALUES);
    CHECK_OK(icl_state_get(n->state[i], ICL_F32, values + t->count[rank]));
    t->count[rank] += (int)count;
  }
}

void training_expect_same_bytes(const training *a, int x, const training *b, int y) {
  CHECK_EQ(a->count[x], b->count[y]);
  for (int i = 0; i < a->count[x]; i++)
    if (memcmp(&a->value[x][i], &b->value[y][i], sizeof(float)) != 0)
      unit_fail(__FILE__, __LINE__, "value %d of %d of rank %d is %.9g, in the other training %.9g", i, a->count[x], x,
                (double)a->value[x][i], (double)b->value[y][i]);
}

void training_forget(training *t) {
  for (int r = 0; r < RANKS_MOST; r++)
    free(t->value[r]);
}
