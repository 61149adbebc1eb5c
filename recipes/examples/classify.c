/* classify.c - what a network sees in a picture, with libicl alone.
 *
 *   cc classify.c $(pkg-config --cflags --libs icl) -lm -o classify
 *   ./classify runs/resnet/001/weights.safetensors cat.jpg
 *
 * The file is one that a run, `icl export --safetensors` or icl.network.save() wrote. */
#include <icl.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the most probable class of one image's logits. */
static void print_best(const icl_network_facts *facts, const float *logits) {
  int best = 0;
  double sum = 0;
  for (int i = 1; i < facts->classes; i++)
    if (logits[i] > logits[best])
      best = i;
  for (int i = 0; i < facts->classes; i++)
    sum += exp((double)logits[i] - (double)logits[best]);
  if (facts->class_names)
    printf("%s %.2f %%\n", facts->class_names[best], 100 / sum);
  else
    printf("class %d %.2f %%\n", best, 100 / sum);
}

static icl_status classify(icl_network *network, const char *picture) {
  const icl_network_facts *facts = icl_network_about(network);
  float *values = malloc((size_t)facts->classes * sizeof *values);
  icl_tensor *image = NULL, *logits = NULL;
  icl_status status = values ? icl_network_image(network, picture, &image) : ICL_ENOMEM;
  if (status == ICL_OK)
    status = icl_network_apply(network, image, &logits);
  if (status == ICL_OK)
    status = icl_tensor_read(logits, ICL_F32, values);
  if (status == ICL_OK)
    print_best(facts, values);
  icl_tensor_release(logits);
  icl_tensor_release(image);
  free(values);
  return status;
}

int main(int count, char **words) {
  icl_engine *engine = NULL;
  icl_network *network = NULL;
  if (count != 3) {
    fprintf(stderr, "classify NETWORK.safetensors PICTURE\n");
    return 2;
  }
  icl_status status = icl_engine_new(NULL, &engine);
  if (status == ICL_OK)
    status = icl_network_read(engine, words[1], &network);
  if (status == ICL_OK)
    status = classify(network, words[2]);
  if (status != ICL_OK)
    fprintf(stderr, "%s: %s\n", icl_status_name(status), icl_message());
  icl_network_free(network);
  icl_engine_free(engine);
  return status != ICL_OK;
}
