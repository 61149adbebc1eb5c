/* test_conv_choice.c - which kernel computes a convolution, and that each one that may computes it right. */
#include "convs.h"
#include "numbers.h"
#include "unit.h"

#include "backend/cpu/conv.h"
#include "backend/cpu/kernels.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* By shape: what computes it with AVX-512, and what with AMX, in every direction. */
typedef struct {
  conv_form form;
  const char *plain, *amx;
} row;

static const row small[] = {
    /* the cases of the ops test */
    {{ICL_BF16, 3, 4, 4, 3, 2, {4, 4}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 4, 4, 64, 64, {3, 3}, {1, 1}, {1, 1}, 4}, "direct", "direct"},
    {{ICL_BF16, 3, 5, 5, 6, 6, {3, 3}, {1, 1}, {1, 1}, 6}, "direct", "direct"},
    {{ICL_BF16, 3, 5, 7, 3, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 6, 5, 4, 6, {3, 2}, {2, 1}, {0, 1}, 2}, "direct", "direct"},
    {{ICL_BF16, 3, 6, 6, 4, 8, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 3, 5, {5, 5}, {3, 3}, {2, 2}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 8, 8, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 8, 8, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 9, 7, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    /* every recipe at the size of its test */
    {{ICL_BF16, 3, 28, 28, 4, 8, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 4, 16, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 8, 16, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 12, 6, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 2, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 16, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 19, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 19, 76, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 76, 22, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 4, 4, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 4, 8, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 32, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 1, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 1, 8, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 1, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 4, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 4, 7, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 7, 7, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 8, 8, {3, 3}, {1, 1}, {1, 1}, 2}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 19, 19, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 3, 28, 28, 4, 8, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 7, 10, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 16, 16, {3, 3}, {2, 2}, {1, 1}, 2}, "direct", "direct"},
    {{ICL_BF16, 3, 28, 28, 22, 22, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 6, 16, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 10, 5, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 16, 32, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 22, 88, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 32, 32, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 14, 14, 88, 25, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 8, 8, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 8, 16, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 32, 64, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 14, 14, 4, 8, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 8, 8, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 10, 10, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 16, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 8, 16, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 10, 13, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 25, 25, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 14, 14, 32, 32, {3, 3}, {2, 2}, {1, 1}, 2}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 5, 16, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 25, 100, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 32, 64, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 7, 7, 13, 13, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 16, 4, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 3, 7, 7, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    /* where oneDNN 2.6 reads outside its memory on AMX */
    {{ICL_BF16, 16, 14, 14, 8, 16, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    /* full tiles: stages of the model families, with fewer images and channels */
    {{ICL_BF16, 2, 32, 32, 32, 32, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 2, 16, 16, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 2, 8, 8, 128, 128, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 5, 4, 4, 64, 96, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 7, 7, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 1, 3, 3, 32, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 8, 9, 160, 32, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 28, 28, 32, 64, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 16, 16, 16, 32, 64, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 8, 8, 64, 128, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 7, 7, 64, 64, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 4, 4, 32, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 3, 3, 32, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 16, 16, 64, 256, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 8, 8, 256, 64, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 7, 1, 1, 64, 64, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 7, 7, 96, 32, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 16, 16, 64, 128, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 7, 7, 64, 128, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 3, 2, 2, 32, 64, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 2, 16, 16, 128, 128, {3, 3}, {1, 1}, {1, 1}, 2}, "winograd", "onednn"},
    {{ICL_BF16, 2, 8, 8, 128, 128, {3, 3}, {2, 2}, {1, 1}, 4}, "direct", "onednn"},
    /* not in full tiles, or not as the model families have them */
    {{ICL_BF16, 4, 16, 16, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 4, 16, 16, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 64, 48, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 48, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 128, 128, {3, 3}, {1, 1}, {1, 1}, 32}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 64, 64, {3, 3}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 64, 64, {3, 3}, {3, 3}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 8, 8, 32, 32, {5, 5}, {1, 1}, {2, 2}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 9, 8, 32, 64, {3, 1}, {1, 1}, {1, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 20, 2, 2, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"}, /* three quarters of a tile unused */
    {{ICL_BF16, 2, 8, 8, 32, 32, {1, 1}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    /* kernels that none of our own takes */
    {{ICL_BF16, 2, 16, 16, 32, 32, {8, 8}, {1, 1}, {0, 0}, 1}, "onednn", "onednn"},
    {{ICL_BF16, 2, 12, 14, 3, 16, {9, 9}, {2, 2}, {4, 4}, 1}, "onednn", "onednn"},
};
enum { SMALL = sizeof small / sizeof *small };

/* Kernel columns that only meet zeros: oneDNN 2.6 leaves them unwritten in weight gradients of bf16. */
static const row narrow[] = {
    {{ICL_BF16, 3, 5, 1, 32, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 4, 2, 6, 32, {5, 5}, {3, 3}, {2, 2}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 5, 1, 32, 32, {1, 1}, {7, 9}, {3, 3}, 1}, "direct", "direct"},
    {{ICL_BF16, 2, 6, 2, 32, 16, {9, 9}, {3, 3}, {4, 4}, 1}, "onednn", "onednn"},
};
enum { NARROW = sizeof narrow / sizeof *narrow };

/* Layers of the model families at their real size: chosen only. */
static const row large[] = {
    /* ResNet and ResNet-preact on CIFAR and MNIST */
    {{ICL_BF16, 64, 32, 32, 3, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 64, 32, 32, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 64, 32, 32, 16, 32, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct"},
    {{ICL_BF16, 64, 16, 16, 32, 32, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 64, 16, 16, 32, 64, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 64, 16, 16, 32, 64, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 64, 8, 8, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 64, 7, 7, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    /* WRN-28-10 */
    {{ICL_BF16, 8, 32, 32, 16, 160, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 8, 32, 32, 160, 160, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 8, 32, 32, 160, 320, {3, 3}, {2, 2}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 8, 32, 32, 160, 320, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 8, 16, 16, 320, 320, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 8, 16, 16, 320, 640, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 8, 8, 8, 640, 640, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    /* DenseNet-BC, PyramidNet */
    {{ICL_BF16, 32, 32, 32, 24, 48, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 32, 32, 32, 48, 12, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 32, 16, 16, 204, 48, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 32, 32, 32, 16, 18, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    {{ICL_BF16, 32, 16, 16, 41, 43, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd"},
    /* ResNeXt 8x64d and 32x4d */
    {{ICL_BF16, 8, 32, 32, 64, 512, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 8, 32, 32, 512, 512, {3, 3}, {1, 1}, {1, 1}, 8}, "winograd", "onednn"},
    {{ICL_BF16, 8, 32, 32, 1024, 1024, {3, 3}, {2, 2}, {1, 1}, 8}, "winograd", "onednn"},
    {{ICL_BF16, 8, 8, 8, 2048, 1024, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 16, 32, 32, 128, 128, {3, 3}, {1, 1}, {1, 1}, 32}, "direct", "direct"},
    {{ICL_BF16, 16, 16, 16, 512, 512, {3, 3}, {2, 2}, {1, 1}, 32}, "direct", "direct"},
    /* Shake-Shake, squeeze and excitation */
    {{ICL_BF16, 32, 32, 32, 32, 32, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 32, 8, 8, 128, 128, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 32, 1, 1, 64, 4, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    {{ICL_BF16, 32, 1, 1, 4, 64, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct"},
    /* ImageNet's ResNet, VGG */
    {{ICL_BF16, 8, 224, 224, 3, 64, {7, 7}, {2, 2}, {3, 3}, 1}, "direct", "direct"},
    {{ICL_BF16, 8, 56, 56, 64, 64, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "onednn"},
    {{ICL_BF16, 8, 56, 56, 64, 256, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 8, 56, 56, 256, 512, {1, 1}, {2, 2}, {0, 0}, 1}, "direct", "onednn"},
    {{ICL_BF16, 8, 7, 7, 512, 512, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "onednn"},
    {{ICL_BF16, 64, 2, 2, 512, 512, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct"},
};
enum { LARGE = sizeof large / sizeof *large };

/* Layers of the model families, by what processors have: results and input gradients, then weight gradients; without
 * products of bf16, and of bf16 where there are such. */
typedef struct {
  conv_form form;
  const char *single, *single_weight, *half, *half_weight;
} unit_row;

#define ODD(in, out)                                                                                                   \
  { ICL_F32, 32, 16, 16, in, out, {3, 3}, {1, 1}, {1, 1}, 1 }

static const unit_row by_units[] = {
    /* channels that are no whole slices */
    {ODD(11, 64), "direct", "direct", "onednn", "onednn"},
    {ODD(12, 12), "winograd", "winograd", "onednn", "onednn"},
    {ODD(48, 12), "winograd", "winograd", "onednn", "winograd"},
    {ODD(42, 43), "winograd", "winograd", "onednn", "winograd"},
    {ODD(49, 48), "winograd", "winograd", "winograd", "winograd"},
    {{ICL_F32, 64, 32, 32, 3, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 64, 32, 32, 16, 16, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd", "winograd", "winograd"},
    {{ICL_F32, 64, 16, 16, 32, 64, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 8, 8, 8, 640, 640, {3, 3}, {1, 1}, {1, 1}, 1},
     "winograd",
     "winograd_fused",
     "winograd",
     "winograd_fused"},
    {{ICL_F32, 2, 8, 8, 128, 128, {3, 3}, {1, 1}, {1, 1}, 1},
     "winograd",
     "winograd_fused",
     "winograd",
     "winograd_fused"},
    {{ICL_F32, 1, 8, 8, 128, 128, {3, 3}, {1, 1}, {1, 1}, 1}, "winograd", "winograd_fused", "onednn", "onednn"},
    {{ICL_F32, 3, 4, 4, 512, 512, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 64, 2, 2, 512, 512, {3, 3}, {1, 1}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 32, 32, 32, 120, 48, {1, 1}, {1, 1}, {0, 0}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 8, 16, 16, 1024, 1024, {3, 3}, {1, 1}, {1, 1}, 8}, "winograd", "winograd", "winograd", "winograd"},
    /* stride 2: enough tiles, too few, not full, too few channels */
    {{ICL_F32, 8, 32, 32, 64, 128, {3, 3}, {2, 2}, {1, 1}, 1}, "winograd", "winograd", "onednn", "onednn"},
    {{ICL_F32, 4, 32, 32, 64, 128, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 4, 16, 16, 320, 640, {3, 3}, {2, 2}, {1, 1}, 1}, "winograd", "winograd_fused", "onednn", "onednn"},
    {{ICL_F32, 8, 28, 28, 256, 256, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
    {{ICL_F32, 64, 32, 32, 48, 96, {3, 3}, {2, 2}, {1, 1}, 1}, "direct", "direct", "onednn", "onednn"},
};
#undef ODD
enum { BY_UNITS = sizeof by_units / sizeof *by_units };

/* ---- the choice ---- */

static const icl__processor none = {0}, avx2 = {.avx2 = true}, avx512 = {.avx2 = true, .avx512 = true},
                            bf16 = {.avx2 = true, .avx512 = true, .avx512_bf16 = true, .dnnl_dot = true},
                            amx = {.avx2 = true,
                                   .avx512 = true,
                                   .avx512_bf16 = true,
                                   .dnnl_dot = true,
                                   .amx_bf16 = true,
                                   .dnnl_amx = true};
static const icl__processor *const all[] = {&none, &avx2, &avx512, &bf16, &amx};
enum { ALL = sizeof all / sizeof *all };

static const char *chosen(const icl__conv_shape *shape, icl__conv_choice forced, const icl__processor *processor) {
  icl__conv c;
  icl__conv_open(&c, shape, forced, processor, shape->images);
  return icl__conv_name(&c);
}

static void check_choice(const icl__conv_shape *s, icl__conv_choice forced, const icl__processor *processor,
                         const char *expected) {
  const char *name = chosen(s, forced, processor);
  if (strcmp(name, expected) != 0)
    unit_fail(__FILE__, __LINE__, "direction %d, %d images %dx%dx%d to %d channels, kernel %dx%d: %s instead of %s",
              (int)s->direction, s->images, s->x[0], s->x[1], s->x[2], s->y[2], s->kernel[0], s->kernel[1], name,
              expected);
}

/* What computes a row with AVX-512, and with AMX: without oneDNN there is no difference. */
static const char *own_of(const char *name) { return !icl__dnnl_library && !strcmp(name, "onednn") ? "plain" : name; }
static const char *with_amx(const row *r) { return icl__dnnl_library ? r->amx : own_of(r->plain); }

/* Weight gradients of small images, and large ones, are turned back at once. */
static const char *in_direction(const row *r, const char *name, int direction) {
  const conv_form *f = &r->form;
  bool tiny = f->h * f->w <= 64 * f->stride[0] * f->stride[1],
       wide = f->in / f->groups * (f->out / f->groups) >= 1 << 15;
  return direction == ICL__CONV_WEIGHT && (tiny || wide) && !strcmp(name, "winograd") ? "winograd_fused" : name;
}

/* Where oneDNN does not get it, or wastes the unit, and an eighth of what is multiplied are channels. */
static bool is_for_amx(const icl__conv_shape *s, const char *other) {
  bool weight = s->direction == ICL__CONV_WEIGHT,
       wasted = weight || (s->direction == ICL__CONV_INPUT && s->stride[0] == 2);
  const icl__conv_kernel *kernel = icl__cpu_amx(s->direction);
  int weights = s->kernel[0] * s->kernel[1] * (s->x[2] / s->groups) * s->y[2];
  return kernel->fits(s) && (wasted || strcmp(other, "onednn") != 0) && s->y[0] * s->y[1] >= 16 &&
         (int)kernel->weights(s) <= 8 * weights / (weight ? 1 : 2);
}

static void check_choices(const row *rows, int count) {
  for (int i = 0; i < count; i++) {
    icl__conv_shape s = conv_shape(&rows[i].form);
    for (int direction = ICL__CONV_FORWARD; direction <= ICL__CONV_WEIGHT; direction++) {
      const char *own = in_direction(&rows[i], own_of(rows[i].plain), direction);
      const char *asked = icl__dnnl_library ? "onednn" : own,
                 *beside_amx = in_direction(&rows[i], with_amx(&rows[i]), direction);
      s.direction = (icl__conv_direction)direction;
      s.dtype = ICL_BF16;
      check_choice(&s, ICL__CONV_AUTO, &avx512, own);
      if (is_for_amx(&s, beside_amx)) {
        check_choice(&s, ICL__CONV_AUTO, &amx, "amx");
        if (strcmp(beside_amx, "onednn") != 0 || !strcmp(rows[i].plain, "onednn"))
          beside_amx = "amx";
      } else {
        check_choice(&s, ICL__CONV_AUTO, &amx, beside_amx);
      }
      /* what oneDNN's AMX does not suit does not run there when oneDNN is asked for */
      check_choice(&s, ICL__CONV_ONEDNN, &amx, beside_amx);
      if (icl__dnnl_library)
        check_choice(&s, ICL__CONV_ONEDNN, &bf16, icl__conv_suits_dnnl(&s, &bf16) ? asked : own);
      s.dtype = ICL_F32;                      /* the unit takes it where it is asked for */
      if (s.groups == 1 || s.groups < s.x[2]) /* by_groups has those of one channel */
        check_choice(&s, ICL__CONV_AUTO, &amx, own);
      check_choice(&s, ICL__CONV_ONEDNN, &amx, asked);
      if (s.kernel[0] <= 7 && s.kernel[1] <= 7)
        check_choice(&s, ICL__CONV_AMX, &none, "amx");
    }
  }
}

TEST(no_bf16_gradient_of_unused_kernel_columns_is_left_to_onednn) {
  for (int i = 0; i < NARROW; i++) {
    icl__conv_shape s = conv_shape(&narrow[i].form);
    s.direction = ICL__CONV_WEIGHT;
    for (int p = 0; p < ALL; p++) {
      icl__conv c;
      for (int choice = ICL__CONV_AUTO; choice <= ICL__CONV_DIRECT; choice++) {
        icl__conv_open(&c, &s, (icl__conv_choice)choice, all[p], s.images);
        CHECK(c.own || c.widen);
      }
    }
    check_choice(&s, ICL__CONV_ONEDNN, &avx512, own_of(narrow[i].plain));
    check_choice(&s, ICL__CONV_ONEDNN, &amx, with_amx(&narrow[i]));
  }
}

/* Shapes that oneDNN 2.6 gets wrong in bf16, and in which direction: it reads channels behind the last one, calls a
 * kernel that it did not make, or leaves rows of the kernel unwritten that only meet zeros. */
static const struct {
  conv_form form;
  icl__conv_direction direction;
} flawed[] = {
    {{ICL_BF16, 1, 5, 6, 4, 1, {1, 1}, {1, 1}, {0, 0}, 1}, ICL__CONV_INPUT},
    {{ICL_BF16, 3, 10, 24, 4, 5, {1, 1}, {2, 2}, {0, 0}, 1}, ICL__CONV_INPUT},
    {{ICL_BF16, 2, 8, 8, 64, 17, {1, 1}, {1, 1}, {0, 0}, 1}, ICL__CONV_INPUT},
    {{ICL_BF16, 1, 7, 7, 169, 58, {5, 5}, {1, 1}, {2, 2}, 1}, ICL__CONV_FORWARD},
    {{ICL_BF16, 3, 8, 21, 255, 21, {7, 7}, {1, 1}, {3, 3}, 1}, ICL__CONV_FORWARD},
    {{ICL_BF16, 3, 1, 9, 163, 8, {5, 5}, {1, 1}, {2, 2}, 1}, ICL__CONV_WEIGHT},
    {{ICL_BF16, 3, 2, 6, 269, 8, {7, 7}, {1, 1}, {3, 3}, 1}, ICL__CONV_WEIGHT},
};
enum { FLAWED = sizeof flawed / sizeof *flawed };

TEST(what_onednn_gets_wrong_in_bf16_is_not_left_to_it) {
  for (int i = 0; i < FLAWED; i++) {
    icl__conv_shape s = conv_shape(&flawed[i].form);
    s.direction = flawed[i].direction;
    for (int p = 0; p < ALL; p++)
      CHECK(!icl__conv_suits_dnnl(&s, all[p]));
    s.dtype = ICL_F32;
    CHECK(icl__conv_suits_dnnl(&s, &bf16));
  }
}

TEST(the_kernel_follows_from_shape_and_processor) {
  check_choices(small, SMALL);
  check_choices(large, LARGE);
}

TEST(the_kernel_follows_from_the_units_that_a_processor_has) {
  for (int i = 0; i < BY_UNITS; i++) {
    const unit_row *r = &by_units[i];
    icl__conv_shape s = conv_shape(&r->form);
    for (int direction = ICL__CONV_FORWARD; direction <= ICL__CONV_WEIGHT; direction++) {
      bool weight = direction == ICL__CONV_WEIGHT;
      const char *single = weight ? r->single_weight : r->single, *half = weight ? r->half_weight : r->half;
      s.direction = (icl__conv_direction)direction;
      s.dtype = ICL_F32;
      check_choice(&s, ICL__CONV_AUTO, &none, single);
      check_choice(&s, ICL__CONV_AUTO, &avx2, single);
      check_choice(&s, ICL__CONV_AUTO, &bf16, single);
      s.dtype = ICL_BF16;
      check_choice(&s, ICL__CONV_AUTO, &avx2, single);
      if (icl__dnnl_library)
        check_choice(&s, ICL__CONV_AUTO, &bf16, half);
    }
  }
}

/* Groups of few channels: results and input gradients, then weight gradients, of f32 and of bf16. */
typedef struct {
  conv_form form;
  const icl__processor *processor;
  const char *single, *single_weight, *half, *half_weight;
} group_row;

#define EACH_CHANNEL(kernel)                                                                                           \
  { ICL_F32, 4, 16, 16, 64, 64, {kernel, kernel}, {1, 1}, {kernel / 2, kernel / 2}, 64 }
#define GROUPS_OF(n)                                                                                                   \
  { ICL_F32, 4, 16, 16, 64, 64, {3, 3}, {1, 1}, {1, 1}, 64 / n }

static const group_row by_groups[] = {
    {EACH_CHANNEL(3), &none, "direct", "direct", "direct", "direct"},
    {EACH_CHANNEL(3), &avx2, "onednn", "onednn", "direct", "direct"},
    {EACH_CHANNEL(3), &avx512, "onednn", "onednn", "direct", "direct"},
    {EACH_CHANNEL(3), &bf16, "onednn", "onednn", "onednn", "onednn"},
    {EACH_CHANNEL(3), &amx, "onednn", "onednn", "direct", "direct"},
    {EACH_CHANNEL(5), &avx2, "onednn", "direct", "direct", "direct"},
    {EACH_CHANNEL(7), &bf16, "onednn", "direct", "onednn", "direct"},
    {GROUPS_OF(4), &avx2, "direct", "direct", "direct", "direct"},
    {GROUPS_OF(4), &avx512, "direct", "direct", "direct", "direct"},
    {GROUPS_OF(2), &bf16, "direct", "direct", "direct", "direct"},
    {GROUPS_OF(4), &bf16, "direct", "direct", "direct", "direct"},
    {GROUPS_OF(8), &bf16, "onednn", "direct", "onednn", "direct"},
    {GROUPS_OF(4), &amx, "direct", "direct", "amx", "amx"},
    {GROUPS_OF(16), &avx2, "winograd", "winograd", "winograd", "winograd"},
    {GROUPS_OF(16), &bf16, "onednn", "winograd", "onednn", "winograd"},
    {GROUPS_OF(32), &bf16, "winograd", "winograd", "winograd", "winograd"},
};
enum { BY_GROUPS = sizeof by_groups / sizeof *by_groups };

TEST(narrow_groups_are_left_to_onednn_where_it_is_faster) {
  for (int i = 0; i < BY_GROUPS && icl__dnnl_library; i++) {
    const group_row *r = &by_groups[i];
    icl__conv_shape s = conv_shape(&r->form);
    for (int direction = ICL__CONV_FORWARD; direction <= ICL__CONV_WEIGHT; direction++) {
      bool weight = direction == ICL__CONV_WEIGHT;
      s.direction = (icl__conv_direction)direction;
      s.dtype = ICL_F32;
      check_choice(&s, ICL__CONV_AUTO, r->processor, weight ? r->single_weight : r->single);
      s.dtype = ICL_BF16;
      check_choice(&s, ICL__CONV_AUTO, r->processor, weight ? r->half_weight : r->half);
    }
  }
}

TEST(on_amx_only_full_tiles_reach_onednn_in_bf16) {
  for (int i = 0; i < SMALL && icl__dnnl_library; i++) {
    icl__conv_shape s = conv_shape(&small[i].form);
    icl__conv c;
    icl__conv_open(&c, &s, ICL__CONV_AUTO, &amx, s.images);
    /* what no kernel of our own takes goes to oneDNN in f32 */
    if (!strcmp(small[i].plain, "onednn"))
      CHECK(!c.own && c.widen);
    else
      CHECK_EQ(!c.own && !c.widen, !strcmp(small[i].amx, "onednn"));
    icl__conv_open(&c, &s, ICL__CONV_DIRECT, &amx, s.images);
    CHECK(c.own || c.widen);
  }
}

/* ---- the results: everything is full of NaN before it is written ---- */

enum { CHOICES = ICL__CONV_DIRECT + 1, PARTS = 3, DRAWN = 300 };

static void *poisoned(size_t bytes) { return memset(icl__alloc(bytes, 1), 0xff, bytes); }

/* What the kernel makes of the layer: y, gradient of x, or twice the weight gradient. */
static void *computed(const icl__conv *c, const conv_layer *l, size_t bytes) {
  const icl__conv_shape *s = &l->shape;
  void *out = poisoned(bytes), *weights = poisoned(icl__conv_weight_bytes(c));
  void *scratch = poisoned(icl__conv_scratch_bytes(c));
  if (s->direction == ICL__CONV_WEIGHT) {
    CHECK_OK(icl__conv_differentiate(c, 0, s->images, l->own_x, l->own_gy, weights, false, scratch));
    CHECK_OK(icl__conv_differentiate(c, 0, s->images, l->own_x, l->own_gy, weights, true, scratch));
    for (int part = 0; part < PARTS; part++)
      CHECK_OK(icl__conv_finish(c, 0, weights, 1, 0, out, part, PARTS));
  } else {
    const void *from = s->direction == ICL__CONV_FORWARD ? l->own_x : l->own_gy;
    for (int part = 0; part < PARTS; part++)
      CHECK_OK(icl__conv_prepare(c, 0, l->own_w, weights, part, PARTS));
    CHECK_OK(icl__conv_run(c, 0, s->images, from, weights, out, scratch, 0, 1));
  }
  icl__free(scratch);
  icl__free(weights);
  return out;
}

/* With each kernel that can be asked for. bf16 results are rounded, and so are weights where bf16 is multiplied. */
static void check_layer(const conv_layer *l, icl__dnnl *dnnl, const icl__processor *processor) {
  const icl__conv_shape *s = &l->shape;
  bool weight = s->direction == ICL__CONV_WEIGHT;
  size_t count = weight ? l->weights : s->direction == ICL__CONV_INPUT ? l->inputs : l->results;
  icl_dtype dtype = weight ? ICL_F32 : s->dtype;
  double *values = conv_expected(l);
  for (size_t i = 0; weight && i < count; i++)
    values[i] *= 2;
  for (int choice = 0; choice < CHOICES; choice++) {
    icl__conv c;
    icl__conv_open(&c, s, (icl__conv_choice)choice, processor, s->images);
    CHECK_OK(icl__conv_expect(&c, dnnl, s->images));
    void *out = computed(&c, l, count * icl_dtype_bytes(dtype));
    double error = numbers_error(values, out, dtype, (int64_t)count);
    if (!(error <= (weight ? 1e-5 : 4e-3)))
      unit_fail(
          __FILE__, __LINE__,
          "%s, %s, direction %d, %d images %dx%dx%d to %dx%dx%d, %d groups, kernel %dx%d, stride %dx%d: error %.3g",
          icl__conv_name(&c), s->dtype == ICL_BF16 ? "bf16" : "f32", (int)s->direction, s->images, s->x[0], s->x[1],
          s->x[2], s->y[0], s->y[1], s->y[2], s->groups, s->kernel[0], s->kernel[1], s->stride[0], s->stride[1], error);
    icl__free(out);
    icl__conv_close(&c);
  }
  icl__free(values);
}

static void check_form(const conv_form *form, icl__conv_direction direction, icl__dnnl *dnnl,
                       const icl__processor *processor) {
  conv_layer l = conv_layer_new(form);
  l.shape.direction = direction;
  check_layer(&l, dnnl, processor);
  conv_layer_free(&l);
}

/* 1 to most; the small half as likely as all. */
static int32_t drawn(uint32_t *state, int32_t most) {
  *state = *state * 1664525u + 1013904223u;
  uint32_t number = *state >> 8, half = (uint32_t)most / 2 + 1;
  return 1 + (int32_t)(number % (number >> 16 & 1 ? half : (uint32_t)most));
}

/* A form of few products, with odd sizes of everything; but not of so few results that rounded weights show in them. */
static conv_form drawn_form(uint32_t *state) {
  enum { MOST_PRODUCTS = 1 << 21, FEWEST_RESULTS = 64 };
  for (;;) {
    int32_t groups = drawn(state, 4) == 4 ? drawn(state, 5) : 1, kernel = drawn(state, 7);
    conv_form f = {.dtype = drawn(state, 4) == 1 ? ICL_F32 : ICL_BF16, .images = drawn(state, 3), .groups = groups};
    f.h = drawn(state, 20);
    f.w = drawn(state, 20);
    f.in = groups * drawn(state, 260);
    f.out = groups * drawn(state, 70);
    int64_t products = (int64_t)f.images * f.h * f.w * f.in / groups * f.out;
    for (int d = 0; d < 2; d++) {
      f.kernel[d] = drawn(state, 4) == 1 ? drawn(state, 7) : kernel;
      f.stride[d] = drawn(state, 2) == 1 ? 1 : drawn(state, 3);
      f.padding[d] = drawn(state, 4) == 1 ? 0 : f.kernel[d] / 2;
      products *= f.kernel[d];
    }
    bool inside = f.h + 2 * f.padding[0] >= f.kernel[0] && f.w + 2 * f.padding[1] >= f.kernel[1];
    icl__conv_shape s = conv_shape(&f);
    if (inside && products <= MOST_PRODUCTS && f.images * s.y[0] * s.y[1] * f.out >= FEWEST_RESULTS)
      return f;
  }
}

static void check_results(icl__conv_direction direction) {
  icl__processor processor = icl__conv_processor();
  icl__dnnl *dnnl = NULL;
  if (icl__dnnl_library)
    CHECK_OK(icl__dnnl_library->open(1, &dnnl));
  uint32_t state = (uint32_t)direction;
  for (int i = 0; i < SMALL; i++)
    check_form(&small[i].form, direction, dnnl, &processor);
  for (int i = 0; i < NARROW; i++)
    check_form(&narrow[i].form, direction, dnnl, &processor);
  for (int i = 0; i < FLAWED; i++)
    check_form(&flawed[i].form, direction, dnnl, &processor);
  for (int i = 0; i < DRAWN; i++) {
    conv_form form = drawn_form(&state);
    check_form(&form, direction, dnnl, &processor);
  }
  if (icl__dnnl_library)
    icl__dnnl_library->close(dnnl);
}

TEST(every_kernel_is_right_forward) { check_results(ICL__CONV_FORWARD); }
TEST(every_kernel_is_right_for_input_gradients) { check_results(ICL__CONV_INPUT); }
TEST(every_kernel_is_right_for_weight_gradients) { check_results(ICL__CONV_WEIGHT); }

/* ---- the processor ---- */

TEST(onednn_is_refused_where_it_is_not) {
  icl__conv_choice choice;
  setenv("ICL_CONV", "onednn", 1);
  if (icl__dnnl_library)
    CHECK_OK(icl__conv_forced(false, &choice));
  else
    CHECK_ERROR(icl__conv_forced(false, &choice), ICL_EINVAL, "this build is without oneDNN");
  unsetenv("ICL_CONV");
}

TEST(precise_convolutions_are_direct) {
  icl__conv_choice choice;
  unsetenv("ICL_CONV");
  CHECK_OK(icl__conv_forced(false, &choice));
  CHECK_EQ(choice, ICL__CONV_AUTO);
  CHECK_OK(icl__conv_forced(true, &choice));
  CHECK_EQ(choice, ICL__CONV_DIRECT);
  setenv("ICL_CONV", "winograd", 1);
  CHECK_OK(icl__conv_forced(false, &choice));
  CHECK_ERROR(icl__conv_forced(true, &choice), ICL_EINVAL, "ICL_CONV is 'winograd'");
  unsetenv("ICL_CONV");
}

TEST(units_are_named) {
  char text[128];
  icl__processor_describe(&amx, text, sizeof text);
  CHECK_STR(text, "AVX2, AVX-512, AVX-512 bf16, AMX bf16");
  icl__processor_describe(&avx2, text, sizeof text);
  CHECK_STR(text, "AVX2");
  icl__processor_describe(&none, text, sizeof text);
  CHECK_STR(text, "no vector units");
  icl__processor_describe(&amx, text, 8); /* cut, not written behind */
  CHECK_EQ(strlen(text), 7);
}
