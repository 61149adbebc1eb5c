/* sets.c - the table of image sets. */
#include "data/sets.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const cifar10_classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const fashion_classes[] = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                                              "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
static const char *const kana[] = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};

/* What MNIST and its successors have in common. */
#define LIKE_MNIST                                                                                                     \
  .format = ICL__SET_IDX, .height = 28, .width = 28, .channels = 1, .classes = 10,                                     \
  .files = {{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},                                                    \
            {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}}
/* What the forms of a set have in common. */
#define CIFAR10                                                                                                        \
  .name = "cifar10", .height = 32, .width = 32, .channels = 3, .classes = 10, .records = {10000, 10000},               \
  .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2470, 0.2435, 0.2616}, .class_names = cifar10_classes
#define CIFAR100                                                                                                       \
  .name = "cifar100", .height = 32, .width = 32, .channels = 3, .classes = 100, .records = {50000, 10000},             \
  .mean = {0.5071, 0.4865, 0.4409}, .std = {0.2673, 0.2564, 0.2762}
#define BINARY .format = ICL__SET_CIFAR, .origin = "the binary version at www.cs.toronto.edu/~kriz/cifar.html"
#define PYTHON                                                                                                         \
  .format = ICL__SET_CIFAR_PYTHON, .origin = "the version for Python at www.cs.toronto.edu/~kriz/cifar.html"

static const icl__set cifar10_python = {
    CIFAR10,
    PYTHON,
    .names_file = "batches.meta",
    .labels_key = "labels",
    .names_key = "label_names",
    .files = {{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"}, {"test_batch"}},
    .folders = {"cifar10", "cifar-10-batches-py"}};
static const icl__set cifar100_python = {CIFAR100,
                                         PYTHON,
                                         .names_file = "meta",
                                         .labels_key = "fine_labels",
                                         .names_key = "fine_label_names",
                                         .files = {{"train"}, {"test"}},
                                         .folders = {"cifar100", "cifar-100-python"}};

static const icl__set sets[] = {
    {CIFAR10, BINARY, .label_bytes = 1, .names_file = "batches.meta.txt",
     .files = {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
               {"test_batch.bin"}},
     .folders = {"cifar10", "cifar-10-batches-bin"}, .other = &cifar10_python},
    {CIFAR100, BINARY, .label_bytes = 2, .names_file = "fine_label_names.txt", .files = {{"train.bin"}, {"test.bin"}},
     .folders = {"cifar100", "cifar-100-binary"}, .other = &cifar100_python},
    {.name = "fashion_mnist",
     LIKE_MNIST,
     .mean = {0.2860},
     .std = {0.3530},
     .class_names = fashion_classes,
     .folders = {"fashion_mnist", "FashionMNIST/raw", "fashion-mnist"},
     .origin = "Debian's package dataset-fashion-mnist, or github.com/zalandoresearch/fashion-mnist"},
    {.name = "kmnist",
     LIKE_MNIST,
     .mean = {0.1904},
     .std = {0.3475},
     .class_names = kana,
     .folders = {"kmnist", "KMNIST/raw"},
     .origin = "codh.rois.ac.jp/kmnist"},
    {.name = "mnist",
     LIKE_MNIST,
     .mean = {0.1307},
     .std = {0.3081},
     .class_names = digits,
     .folders = {"mnist", "MNIST/raw"},
     .origin = "yann.lecun.com/exdb/mnist"},
};
enum { SETS = sizeof sets / sizeof *sets };

/* How many letters must be put in, left out or replaced to turn a into b, capitals aside (Levenshtein). */
static int distance(const char *a, const char *b) {
  enum { MOST = 32 };
  int length = (int)strlen(b), row[MOST + 1];
  if (length > MOST || strlen(a) > MOST)
    return MOST;
  for (int j = 0; j <= length; j++)
    row[j] = j;
  for (; *a; a++) {
    int diagonal = row[0]++;
    for (int j = 1; j <= length; j++) {
      int replaced = diagonal + (tolower((unsigned char)*a) != b[j - 1]),
          least = row[j] < row[j - 1] ? row[j] : row[j - 1];
      diagonal = row[j];
      row[j] = replaced <= least ? replaced : least + 1;
    }
  }
  return row[length];
}

static icl_status unknown(const char *name) {
  char names[256] = "", near[64] = "";
  int nearest = 4; /* farther ones are no help */
  for (int i = 0; i < SETS; i++) {
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", sets[i].name);
    if (distance(name, sets[i].name) < nearest) {
      nearest = distance(name, sets[i].name);
      snprintf(near, sizeof near, " (did you mean %s?)", sets[i].name);
    }
  }
  return icl__fail(ICL_ENOENT, "there is no image set '%s'%s; there are %s", name, near, names);
}

icl_status icl__set_find(const char *name, const icl__set **result) {
  for (int i = 0; i < SETS; i++)
    if (strcmp(sets[i].name, name) == 0) {
      *result = &sets[i];
      return ICL_OK;
    }
  return unknown(name);
}
