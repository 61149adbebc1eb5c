/* counted.h - what kernels move between the device's memory and a cache. */
#ifndef ICL_TESTS_CUDASIM_COUNTED_H
#define ICL_TESTS_CUDASIM_COUNTED_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  double read, written; /* bytes */
} counted_bytes;

/* The cache is empty, and counting begins. */
void counted_begin(void);
/* What was moved since then, with what the cache still has to write. */
counted_bytes counted_end(void);

#ifdef __cplusplus
}
#endif

#endif
