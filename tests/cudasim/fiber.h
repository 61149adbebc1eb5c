/* fiber.h - stacks and the switch from one to another. */
#ifndef ICL_TESTS_CUDASIM_FIBER_H
#define ICL_TESTS_CUDASIM_FIBER_H

#include <stddef.h>

namespace sim {

struct stack {
  void *top;    /* of what is pushed on it while it does not run */
  char *memory; /* its lowest byte */
  size_t bytes;
};

/* A stack that begins in `entry`, which must not return. From a pool, if one was given back. */
stack *take_stack(void (*entry)());
void give_stack(stack *s);
/* At least so many in the pool, all with new memory: the thread sanitizer would take what another thread left on them
 * for its own. */
void prepare_stacks(size_t count);

/* From the scheduler to a stack and back. */
void run_on(stack *s);
void back_from(stack *s);
/* The first thing that runs on a new stack. */
void arrived_on_stack();

} // namespace sim

#endif
