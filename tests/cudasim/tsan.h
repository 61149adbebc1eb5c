/* tsan.h - what the thread sanitizer is told: which simulated thread runs, and what orders it before another.
 *
 * The simulator itself is compiled without the sanitizer, or it would see the simulator's own bookkeeping. These hooks
 * are there in a program that is linked with it, and do nothing in others. */
#ifndef ICL_TESTS_CUDASIM_TSAN_H
#define ICL_TESTS_CUDASIM_TSAN_H

extern "C" {
void *__tsan_get_current_fiber(void) __attribute__((weak));
void *__tsan_create_fiber(unsigned flags) __attribute__((weak));
void __tsan_destroy_fiber(void *fiber) __attribute__((weak));
void __tsan_switch_to_fiber(void *fiber, unsigned flags) __attribute__((weak));
void __tsan_acquire(void *object) __attribute__((weak));
void __tsan_release(void *object) __attribute__((weak));
void __tsan_read_range(void *memory, long bytes) __attribute__((weak));
void __tsan_write_range(void *memory, long bytes) __attribute__((weak));
}

namespace sim {

static inline bool has_tsan() { return __tsan_create_fiber != nullptr; }
static inline void release(const void *object) {
  if (has_tsan())
    __tsan_release((void *)object);
}
static inline void acquire(const void *object) {
  if (has_tsan())
    __tsan_acquire((void *)object);
}
static inline void *tsan_new() { return has_tsan() ? __tsan_create_fiber(0) : nullptr; }
static inline void tsan_free(void *fiber) {
  if (has_tsan())
    __tsan_destroy_fiber(fiber);
}
static inline void *tsan_current() { return has_tsan() ? __tsan_get_current_fiber() : nullptr; }
/* What code that is compiled without the sanitizer does for the running thread. */
static inline void reads(const void *memory, unsigned long bytes) {
  if (has_tsan())
    __tsan_read_range((void *)memory, (long)bytes);
}
static inline void writes(void *memory, unsigned long bytes) {
  if (has_tsan())
    __tsan_write_range(memory, (long)bytes);
}
/* Nothing is ordered by the switch itself. */
static inline void tsan_switch(void *fiber) {
  if (has_tsan())
    __tsan_switch_to_fiber(fiber, 1);
}

} // namespace sim

#endif
