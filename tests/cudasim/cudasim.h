/* cudasim.h - what a test asks of the simulator. A program that runs on a GPU has none of it. */
#ifndef ICL_TESTS_CUDASIM_CUDASIM_H
#define ICL_TESTS_CUDASIM_CUDASIM_H

#ifdef __cplusplus
extern "C" {
#endif

/* From now on, as the variables of the environment say it when a program starts (simulator.h). */
void cudasim_set(const char *order, const char *streams, unsigned seed) __attribute__((weak));
/* The allocation of this number fails, counted from the next one on as 1. */
void cudasim_refuse(long number) __attribute__((weak));
/* The same of launches of kernels, which may need memory when they are loaded. */
void cudasim_refuse_launch(long number) __attribute__((weak));

/* From now on there seem to be so many devices. */
void cudasim_devices(int count) __attribute__((weak));

/* Allocations, streams, events and graphs that were not given back. */
int cudasim_live(void) __attribute__((weak));

#ifdef __cplusplus
}
#endif

#endif
