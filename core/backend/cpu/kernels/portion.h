/* portion.h - what one of several threads computes of a convolution of few images: some of the made channels of every
 * pixel, or some of the pixels. Channels are taken in panels, of all groups. */
#ifndef ICL_BACKEND_CPU_KERNELS_PORTION_H
#define ICL_BACKEND_CPU_KERNELS_PORTION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int part, parts;
  bool channels;
} portion;

/* Do so many panels give each of the parts about as much to do? */
static inline bool divides_well(int64_t panels, int parts) {
  enum { MANY = 4 };
  return panels % parts == 0 || panels >= MANY * parts;
}

/* Of `count` pixels, or pieces of images: from the first one on, until the last one is reached. */
static inline int64_t first_pixel(portion p, int64_t count) { return p.channels ? 0 : count * p.part / p.parts; }
static inline int64_t end_pixel(portion p, int64_t count) {
  return p.channels ? count : count * (p.part + 1) / p.parts;
}

/* Of the `panels` of a group, of which there are `groups`: likewise. */
static inline int32_t panel_at(int64_t panel, int32_t group, int32_t panels) {
  int64_t within = panel - (int64_t)group * panels;
  return (int32_t)(within < 0 ? 0 : within > panels ? panels : within);
}
static inline int32_t first_panel(portion p, int32_t group, int32_t groups, int32_t panels) {
  return p.channels ? panel_at((int64_t)groups * panels * p.part / p.parts, group, panels) : 0;
}
static inline int32_t end_panel(portion p, int32_t group, int32_t groups, int32_t panels) {
  return p.channels ? panel_at((int64_t)groups * panels * (p.part + 1) / p.parts, group, panels) : panels;
}

#endif
