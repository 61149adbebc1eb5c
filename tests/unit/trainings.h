/* trainings.h - small trainings that several ranks share, and one process does by itself, on the same images. */
#ifndef ICL_TESTS_TRAININGS_H
#define ICL_TESTS_TRAININGS_H

#include "nets.h"
#include "ranks.h"

enum { TRAINING_SIZE = 8, TRAINING_CHANNELS = 3, TRAINING_STEPS = 3 };

typedef icl_tensor *(*training_layers)(net *n, icl_tensor *x, int blocks, int width);

typedef struct {
  training_layers layers;
  int blocks, width, images;
  icl_config config;
  int parts; /* ranks, or parts of a subdivided batch; images are shared out as threads share them */
  bool sync;
  bool reads;            /* the loss, within the step */
  size_t bucket;         /* bytes; 0: the planner's own */
  int count[RANKS_MOST]; /* of each rank, or of the process as the first */
  float *value[RANKS_MOST];
} training;

/* Images first to first + count - 1 of a step, and their labels. */
icl_tensor *training_images(net *n, int step, int first, int count);
icl_tensor *training_labels(net *n, int first, int count);
/* The loss of part `part` of `parts`, weighed by its share of the batch. */
icl_tensor *training_loss(net *n, const training *t, int step, int part, int parts);

/* Takes down the values of parameters, with `sync` of all states. */
void training_take(net *n, training *t, int rank);
void training_expect_same_bytes(const training *a, int x, const training *b, int y);
void training_forget(training *t);

#endif
