/* fiber.cpp - see fiber.h. */
#include "fiber.h"

#include "simulator.h"
#include "tsan.h"

#include <sys/mman.h>
#include <vector>
#if defined __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined __x86_64__
#error "the switch of stacks is written for x86-64 alone"
#endif

/* Saves the registers that a call keeps and the stack pointer in *save, and goes on where `load` was saved. */
extern "C" void sim_switch(void **save, void *load);
asm(R"(
  .text
  .globl sim_switch
  .hidden sim_switch
  .type sim_switch, @function
sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rdx
  jmp *%rdx
  .size sim_switch, .-sim_switch
)");

namespace sim {

enum { GUARD = 4096, SAVED_REGISTERS = 6 };
/* The thread sanitizer's shadow is four times as large, and it wants new stacks for every block. */
static size_t stack_bytes() { return has_tsan() ? 32 << 10 : 256 << 10; }

/* Never destroyed: other static objects may outlive it. */
static std::vector<stack *> &pool = *new std::vector<stack *>;
static std::vector<stack *> &all = *new std::vector<stack *>;
static void *scheduler;

static stack *new_stack() {
  pool.reserve(all.size() + 1); /* so that a simulated thread that gives one back allocates nothing */
  size_t bytes = stack_bytes();
  char *memory =
      (char *)mmap(nullptr, bytes + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE))
    fail("no memory for the stack of a simulated thread");
  stack *s = new stack{nullptr, memory + GUARD, bytes};
  all.push_back(s);
  return s;
}

stack *take_stack(void (*entry)()) {
  stack *s = pool.empty() ? new_stack() : pool.back();
  if (!pool.empty())
    pool.pop_back();
  void **top = (void **)(s->memory + s->bytes);
  *--top = nullptr; /* keeps the stack pointer as it is after a call */
  *--top = (void *)entry;
  top -= SAVED_REGISTERS;
  clear(top, SAVED_REGISTERS * sizeof *top);
  s->top = top;
  return s;
}

void give_stack(stack *s) { pool.push_back(s); }

void prepare_stacks(size_t count) {
  while (all.size() < count)
    give_stack(new_stack());
  for (stack *s : all)
    mmap(s->memory, s->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

#if defined __SANITIZE_ADDRESS__
static const void *scheduler_memory;
static size_t scheduler_bytes;

void run_on(stack *s) {
  void *fake;
  __sanitizer_start_switch_fiber(&fake, s->memory, s->bytes);
  sim_switch(&scheduler, s->top);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void back_from(stack *s) {
  void *fake;
  __sanitizer_start_switch_fiber(&fake, scheduler_memory, scheduler_bytes);
  sim_switch(&s->top, scheduler);
  __sanitizer_finish_switch_fiber(fake, &scheduler_memory, &scheduler_bytes);
}

void arrived_on_stack() { __sanitizer_finish_switch_fiber(nullptr, &scheduler_memory, &scheduler_bytes); }
#else
void run_on(stack *s) { sim_switch(&scheduler, s->top); }
void back_from(stack *s) { sim_switch(&s->top, scheduler); }
void arrived_on_stack() {}
#endif

} // namespace sim
