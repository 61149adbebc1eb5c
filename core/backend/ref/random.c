/* random.c - reference kernels of random draws by key (base/philox.h). */
#include "backend/ref/ref.h"

#include "base/philox.h"

/* Where one element of a draw comes from: element j of the image `id`, under `key`. */
typedef struct {
  uint32_t key[4], id, j;
} place;

/* Element i of a result of shape `out`. `ids` names the images along its axis 0; NULL: they count from call->first. */
static place place_of(const icl__call *call, const icl__view *key, const icl__view *ids, int64_t i) {
  const icl__view *out = &call->out;
  int64_t images = out->rank ? out->shape[0] : 1, size = icl__view_count(out) / images, n = i / size;
  place p = {.id = (uint32_t)(ids ? (int64_t)values(ids)[n] : call->first + n), .j = (uint32_t)(i % size)};
  for (int k = 0; k < 4; k++)
    p.key[k] = (uint32_t)values(key)[k];
  return p;
}

static const icl__view *input(const icl__call *call, int i) { return i < call->inputs ? &call->in[i] : NULL; }

void icl__ref_uniform(const icl__call *call) {
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    place p = place_of(call, &call->in[0], input(call, 1), i);
    values(&call->out)[i] = (double)icl__draw_uniform(p.key, p.id, p.j);
  }
}

void icl__ref_normal(const icl__call *call) {
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    place p = place_of(call, &call->in[0], input(call, 1), i);
    values(&call->out)[i] = (double)icl__draw_normal(p.key, p.id, p.j);
  }
}

void icl__ref_bernoulli(const icl__call *call) {
  float probability = (float)values(&call->in[1])[0];
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    place p = place_of(call, &call->in[0], input(call, 2), i);
    values(&call->out)[i] = icl__draw_bernoulli(p.key, p.id, p.j, probability);
  }
}

void icl__ref_randint(const icl__call *call) {
  const int32_t *attr = call->attr->i;
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    place p = place_of(call, &call->in[0], input(call, 1), i);
    values(&call->out)[i] = (double)icl__draw_integer(p.key, p.id, p.j, attr[RANDINT_LOW], attr[RANDINT_HIGH]);
  }
}

void icl__ref_dropout(const icl__call *call) {
  double probability = values(&call->in[2])[0];
  for (int64_t i = 0; i < icl__view_count(&call->out); i++) {
    place p = place_of(call, &call->in[1], input(call, 3), i);
    bool dropped = icl__draw_bernoulli(p.key, p.id, p.j, (float)probability);
    values(&call->out)[i] = dropped ? 0 : values(&call->in[0])[i] / (1 - probability);
  }
}
