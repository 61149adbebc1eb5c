/* axes.h - axes that are walked together in an input and in a result. */
#ifndef ICL_BACKEND_CPU_KERNELS_AXES_H
#define ICL_BACKEND_CPU_KERNELS_AXES_H

#include <stdint.h>

/* Elements from one position to the next, in the input and in the result. */
typedef struct {
  int64_t size, from, to;
} axis;

/* Puts `a` behind `count` axes and returns their number. One of size 1 is left out, and one that the last continues, in
 * the input and in the result, becomes a part of it. */
static inline int append_axis(axis *axes, int count, axis a) {
  axis *last = count > 0 ? &axes[count - 1] : 0;
  if (a.size == 1)
    return count;
  if (last && last->from == a.from * a.size && last->to == a.to * a.size) {
    *last = (axis){last->size * a.size, a.from, a.to};
    return count;
  }
  axes[count] = a;
  return count + 1;
}

#endif
