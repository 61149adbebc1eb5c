/* generate.h - the parts of the generator.
 *
 * A program is run while it is made, op by op on the reference device: an instruction that is refused or gives numbers
 * that are no use (not finite, too large) is taken back. So makers may try what they like, and can look at values. */
#ifndef ICL_TESTS_GENERATE_H
#define ICL_TESTS_GENERATE_H

#include "program.h"

/* What is known of a value. */
typedef struct {
  bool usable;                 /* not lost with its step */
  double least, most, nearest; /* of its elements; the smallest distance from 0 */
} fact;

typedef struct {
  program *p;
  run r;
  trace seen;
  uint64_t random;
  int step;              /* place of the BEGIN of the step that is open, or -1 */
  int32_t n, h, w, c[2]; /* sizes that this program prefers */
  fact of[MOST_INSTRUCTIONS];
} maker;

/* ---- generate.c ---- */

int below(maker *m, int n); /* 0 to n - 1 */
bool chance(maker *m, int percent);

/* Appends the instruction and runs it: its place, or -1 if it was taken back. */
int put(maker *m, const instruction *i);
int apply_op(maker *m, const char *name, int inputs, const int *in, const icl_attributes *attr);
int apply1(maker *m, const char *name, int x);
int apply2(maker *m, const char *name, int a, int b);
int apply2_with(maker *m, const char *name, int a, int b, const icl_attributes *attr);
/* The default attributes of an op; then entries by name. */
icl_attributes attributes_of(const char *op);
void set_int(icl_attributes *attr, const char *op, const char *name, int32_t value);
void set_pair(icl_attributes *attr, const char *op, const char *name, int32_t a, int32_t b);
void set_list(icl_attributes *attr, const char *op, const char *name, int count, const int32_t *list);
void set_real(icl_attributes *attr, const char *op, const char *name, double value);

int constant(maker *m, icl_dtype dtype, values_kind values, int rank, const int32_t *shape);
int integers(maker *m, icl_dtype dtype, uint32_t most, int rank, const int32_t *shape);
int number(maker *m, double value);
int full(maker *m, icl_dtype dtype, double value, int rank, const int32_t *shape);
/* The value of an old or a new state, as parameters are; now and then a constant. */
int parameter(maker *m, values_kind values, int rank, const int32_t *shape);
int key(maker *m);

const instruction *at(const maker *m, int i);
bool is_real(const maker *m, int i);
/* A usable value of a float dtype and this rank (-1: any), one of the latest more likely than others; -1: none. */
int pick(maker *m, int rank);
/* The same of a shape, or of one more property. */
int pick_like(maker *m, int like);
int pick_dtype(maker *m, icl_dtype dtype, int rank);
/* pick(), or a new constant where there is none. */
int image(maker *m);
int matrix(maker *m);
int any_value(maker *m);
int32_t axis_of(maker *m, int x);

/* ---- makers: each tries to append something ---- */

void make_pointwise(maker *m);
void make_cast(maker *m);
void make_choice(maker *m);
void make_sum(maker *m);
void make_maximum(maker *m);
void make_centred(maker *m);
void make_broadcast(maker *m);
void make_matmul(maker *m);
void make_attention(maker *m);
void make_conv(maker *m);
void make_conv_gradients(maker *m);
void make_batch_norm(maker *m);
void make_pool(maker *m);
void make_reshape(maker *m);
void make_permute(maker *m);
void make_pad(maker *m);
void make_concat(maker *m);
void make_narrow(maker *m);
void make_gather(maker *m);
void make_cumsum(maker *m);
void make_order(maker *m);
void make_gather_along(maker *m);
void make_mixup(maker *m);
void make_one_hot(maker *m);
void make_softmax(maker *m);
void make_cross_entropy(maker *m);
void make_draw(maker *m);
void make_dropout(maker *m);
void make_sample(maker *m);

/* ---- make_layers.c, make_network.c: -> the result or -1 ---- */

int convolve(maker *m, int x, int32_t kernel, int32_t out, int32_t stride);
int normalize_batch(maker *m, int x);
void make_block(maker *m);
/* A loss of classes, its gradients and an update. */
void make_head(maker *m);

void make_state(maker *m);
void make_read(maker *m);
void make_write(maker *m);
void make_update(maker *m);
void make_backward(maker *m);
void make_derivative(maker *m);
void make_custom(maker *m);
void make_detach(maker *m);
void make_keep(maker *m);
void make_look(maker *m);
void make_freeze(maker *m);
void make_step(maker *m);

#endif
