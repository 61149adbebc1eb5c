/* block.cpp - the threads of one block, one fiber for each.
 *
 * A thread runs until it waits for others: at __syncthreads(), or in a collective of its warp until all lanes of the
 * mask are there. One that never waits runs on the stack of the thread before it, without a switch. What real hardware
 * leaves undefined is a failure here: different barriers, lanes that are not in the mask, a barrier that some threads
 * have left the kernel without.
 *
 * For the thread sanitizer every thread is one of its fibers, and only barriers, __syncwarp() and fences around atomics
 * order them; shuffles and atomics alone do not. It must not take two threads for one, or the same address for two
 * things: threads of a grid keep their fibers until it ends, and a block has stacks, shared memory and objects of its
 * own. */
#include "fiber.h"
#include "shared.h"
#include "simulator.h"
#include "tsan.h"

#include <algorithm>
#include <vector>

namespace sim {

place *self;

enum state { FRESH, READY, AT_BARRIER, IN_COLLECTIVE, DONE };
enum { WARP = 32, MOST_THREADS = 1024, MOST_TSAN_FIBERS = 7000 /* of the 8128 that gcc's library has */ };

struct thread {
  place at;
  stack *on;
  sim::state state;
  const void *site;
  /* a collective */
  collective what;
  unsigned mask;
  uint64_t value;
  int source;
  /* the thread sanitizer */
  void *fiber;
  bool fenced;        /* since it began */
  const void *atomic; /* the last one it did */
};

/* What orders threads, two of each kind: the next barrier may begin before all have left the last. */
struct ordering {
  char barrier[2], warp[MOST_THREADS / WARP][2];
};

static const work *running;
static std::vector<thread> threads(MOST_THREADS);
static std::vector<unsigned> order; /* in which they run */
static thread *current;
static unsigned count, fresh, waiting, done; /* threads; the next in `order` to begin; at a barrier; that returned */
static unsigned barriers, collectives[MOST_THREADS / WARP];
static ordering *ordered;
static char grid_end;

/* Does the thread sanitizer see each thread? Else a launch is one thread to it, that of the stream or node. */
static bool is_fine() { return has_tsan() && !setting.coarse; }

static void *scheduler_fiber;
static std::vector<void *> &fibers = *new std::vector<void *>;

static const char *name() { return running->k->name; }

/* ---- switching ---- */

static void to_scheduler() {
  thread *t = current;
  if (is_fine())
    tsan_switch(scheduler_fiber);
  back_from(t->on);
}

/* The next thread that has not begun, or NULL. */
static thread *next_fresh() {
  while (fresh < count && threads[order[fresh]].state != FRESH)
    fresh++;
  return fresh < count ? &threads[order[fresh++]] : nullptr;
}

static void live() {
  arrived_on_stack();
  for (;;) {
    running->k->run(running->arguments);
    release(&grid_end);
    current->state = DONE;
    done++;
    thread *next = is_fine() ? nullptr : next_fresh();
    if (!next) {
      give_stack(current->on);
      to_scheduler();
    }
    next->on = current->on;
    next->state = READY;
    current = next;
    self = &next->at;
  }
}

static void resume(thread *t) {
  if (t->state == FRESH) {
    t->on = take_stack(live);
    t->state = READY;
  }
  current = t;
  self = &t->at;
  if (is_fine())
    tsan_switch(t->fiber);
  run_on(t->on);
}

/* ---- barriers ---- */

void barrier(const void *site) {
  if (done)
    fail("%s: __syncthreads() is reached by thread %u of block %u,%u, but %u threads of the block have returned",
         name(), current->at.thread.x, current->at.block.x, current->at.block.y, done);
  thread *me = current;
  const char *object = &ordered->barrier[barriers & 1];
  release(object);
  me->state = AT_BARRIER;
  me->site = site;
  waiting++;
  to_scheduler();
  acquire(object);
}

/* All are there: they go on. */
static void open_barrier() {
  for (unsigned i = 1; i < count; i++)
    if (threads[i].site != threads[0].site)
      fail("%s: threads of one block wait at different __syncthreads()", name());
  for (unsigned i = 0; i < count; i++)
    threads[i].state = READY;
  waiting = 0;
  barriers++;
}

/* ---- collectives of a warp ---- */

static unsigned lanes_of(unsigned warp) { return std::min<unsigned>(WARP, count - warp * WARP); }

static uint64_t result_of(const thread *lanes, const thread &me, unsigned votes) {
  switch (me.what) {
  case SHUFFLE:
    if (me.source < 0 || !(me.mask >> me.source & 1))
      fail("%s: a shuffle reads lane %d, which is not in the mask %08x", name(), me.source, me.mask);
    return lanes[me.source].value;
  case BALLOT:
    return votes;
  case ANY:
    return votes != 0;
  case ALL:
    return votes == me.mask;
  case SYNC:
    break;
  }
  return 0;
}

static void finish_collective(unsigned warp) {
  thread *lanes = &threads[warp * WARP];
  uint64_t results[WARP];
  unsigned votes = 0, mask = current->mask;
  for (unsigned i = 0; i < lanes_of(warp); i++) {
    if (!(mask >> i & 1))
      continue;
    if (lanes[i].what != current->what || lanes[i].mask != mask || lanes[i].site != current->site)
      fail("%s: lanes %u and %u of one warp meet in different collectives", name(), i, current->at.lane);
    votes |= (unsigned)(lanes[i].value & 1) << i;
  }
  for (unsigned i = 0; i < lanes_of(warp); i++)
    if (mask >> i & 1)
      results[i] = result_of(lanes, lanes[i], votes);
  for (unsigned i = 0; i < lanes_of(warp); i++)
    if (mask >> i & 1) {
      lanes[i].value = results[i];
      lanes[i].state = READY;
    }
  collectives[warp]++;
}

uint64_t collect(collective what, unsigned mask, uint64_t value, int source, const void *site) {
  thread *me = current;
  unsigned warp = me->at.warp, lanes = lanes_of(warp);
  if (lanes < WARP)
    mask &= (1u << lanes) - 1;
  if (!(mask >> me->at.lane & 1))
    fail("%s: lane %u calls a collective whose mask %08x leaves it out", name(), me->at.lane, mask);
  const char *object = &ordered->warp[warp][collectives[warp] & 1];
  if (what == SYNC)
    release(object);
  me->what = what;
  me->mask = mask;
  me->value = value;
  me->source = source;
  me->site = site;
  me->state = IN_COLLECTIVE;
  bool all = true;
  for (unsigned i = 0; i < lanes; i++)
    all = all && (!(mask >> i & 1) || threads[warp * WARP + i].state == IN_COLLECTIVE);
  if (all)
    finish_collective(warp);
  else
    to_scheduler();
  if (what == SYNC)
    acquire(object);
  return me->value;
}

/* ---- fences: a release before a later atomic, an acquire after an earlier one ---- */

void fence() {
  current->fenced = true;
  if (current->atomic && is_fine())
    acquire(current->atomic);
}

void before_atomic(const void *address) {
  if (current->fenced && is_fine())
    release(address);
  current->atomic = address;
}

/* ---- a block ---- */

static void place_threads(const work &w, dim3 block) {
  for (unsigned i = 0; i < count; i++) {
    place at = {dim3(i % w.block.x, i / w.block.x % w.block.y, i / (w.block.x * w.block.y)),
                block,
                w.block,
                w.grid,
                i % WARP,
                i / WARP};
    threads[i] = {};
    threads[i].at = at;
  }
}

static void choose_order() {
  order.resize(count);
  for (unsigned i = 0; i < count; i++)
    order[i] = setting.threads == REVERSE ? count - 1 - i : i;
  for (unsigned i = count; setting.threads == RANDOM && i > 1; i--)
    std::swap(order[i - 1], order[draw(i)]);
}

static void end_fibers() {
  for (void *fiber : fibers)
    tsan_free(fiber);
  fibers.clear();
}

static void begin_fibers() {
  if (fibers.size() + count > MOST_TSAN_FIBERS)
    end_fibers();
  prepare_stacks(count);
  for (unsigned i = 0; i < count; i++)
    fibers.push_back(threads[i].fiber = tsan_new());
}

static void fail_stuck(dim3 block) {
  unsigned in_collectives = 0;
  for (unsigned i = 0; i < count; i++)
    in_collectives += threads[i].state == IN_COLLECTIVE;
  fail("%s: deadlock in block %u,%u: %u threads wait in collectives, %u at __syncthreads(), %u have returned", name(),
       block.x, block.y, in_collectives, waiting, done);
}

void run_block(const work &w, dim3 block) {
  static ordering plain;
  running = &w;
  count = w.block.x * w.block.y * w.block.z;
  fresh = waiting = done = barriers = 0;
  std::fill(std::begin(collectives), std::end(collectives), 0);
  begin_shared(w.shared_bytes);
  ordered = is_fine() ? (ordering *)new_shared(sizeof *ordered) : &plain;
  place_threads(w, block);
  choose_order();
  if (is_fine())
    begin_fibers();
  while (done < count) {
    bool moved = false;
    for (unsigned i = 0; i < count; i++) {
      thread *t = &threads[order[i]];
      if (t->state == FRESH || t->state == READY) {
        moved = true;
        resume(t);
      }
    }
    if (waiting == count)
      open_barrier();
    else if (waiting && waiting + done == count)
      fail("%s: %u of %u threads have returned while the others wait at __syncthreads()", name(), done, count);
    else if (!moved)
      fail_stuck(block);
  }
}

void begin_grid() {
  scheduler_fiber = tsan_current();
  if (has_tsan() && !is_fine())
    prepare_stacks(0); /* what another launch left on them is not this one's */
}

void end_grid() {
  acquire(&grid_end);
  end_fibers();
}

} // namespace sim
