/* run.c - replaying a plan: one parallel region a step; each thread walks its shares of the images phase by phase,
 * chunk by chunk, and then helps others with theirs.
 *
 * What is summed up does not depend on who does it: a share has partial results of its own, to which its chunks are
 * added in their order. A thread that is early waits for the one that has the chunk before, at each such op anew. How
 * many shares there are is the policy's: one a thread, or a number that bytes are to depend on instead.
 *
 * Nothing is decided here. All that can fail comes before the last section, which holds the writes of states: a thread
 * that meets an error says so, and all of them leave at the next barrier. What is sent to other ranks leaves at the
 * beginning of a phase and is waited for at the end of one (send.c). */
#include "backend/cpu/replay.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"
#include "backend/bn_sums.h"
#include "backend/cpu/send.h"

typedef icl__cpu_worker worker;
typedef icl__cpu_replay replay;

static void fail(worker *w, icl_status status) {
  int none = ICL_OK;
  if (atomic_compare_exchange_strong(&w->run->status, &none, (int)status)) {
    strncpy(w->run->message, icl_message(), sizeof w->run->message - 1);
    w->run->message[sizeof w->run->message - 1] = '\0';
  }
}

/* ---- times, when profiling ---- */

static double begin_time(const worker *w) { return w->run->program->device->profile ? icl__seconds() : 0; }

static void end_time(const worker *w, double begin, double *spent) {
  if (w->run->program->device->profile)
    *spent += icl__seconds() - begin;
}

/* Seconds that the thread has waited, in phases or in sections. */
static double *waiting(const worker *w, bool section) { return &w->run->program->waiting[2 * w->thread + section]; }

/* ---- where values lie ---- */

void *icl__cpu_address(const worker *w, const icl__pnode *v, bool images) {
  const icl__bindings *b = w->run->bindings;
  size_t skip = (size_t)v->column * icl_dtype_bytes(v->stored);
  if (images && v->store != ICL__STORE_CHUNK)
    skip += (size_t)w->first * icl__plan_image_stride(v);
  switch (v->store) {
  case ICL__STORE_LEAF:
    return (char *)(uintptr_t)b->leaf[v->leaf] + skip;
  case ICL__STORE_OUTPUT:
    return (char *)b->output[v->output] + skip;
  case ICL__STORE_BATCH:
  case ICL__STORE_SHARED: /* a global op may make what others read image by image */
    return w->arena + v->offset + skip;
  case ICL__STORE_CHUNK:
  case ICL__STORE_BLOCK:
    return w->scratch + v->offset + skip;
  case ICL__STORE_LASTING:
    return (char *)b->lasting + v->offset + skip;
  case ICL__STORE_PARTIAL:
    return w->arena + v->offset + (size_t)w->share * v->bytes;
  case ICL__STORE_NONE:
    break;
  }
  return NULL;
}

static void fill_call(const worker *w, const icl__pnode *v, icl__call *call) {
  *call = icl__unit_of(v)->call;
  call->out.data = icl__cpu_address(w, v, v->behaviour == ICL__MAP);
  if (v->behaviour == ICL__MAP)
    call->out.shape[0] = (int32_t)w->images;
  for (int j = 0; j < v->inputs; j++) {
    bool images = icl__plan_reads_images(v, j);
    call->in[j].data = icl__cpu_address(w, v->in[j], images);
    if (images)
      call->in[j].shape[0] = (int32_t)w->images;
  }
  call->first = w->first;
  call->accumulate = v->behaviour == ICL__REDUCE && !w->first_chunk;
  call->scratch = w->workspace;
}

/* ---- units ---- */

static icl_status run_conv(const worker *w, const icl__pnode *v, int part, int parts) {
  const icl__conv *conv = icl__unit_of(v)->conv;
  const void *from = icl__cpu_address(w, v->in[0], true);
  if (v->behaviour == ICL__REDUCE)
    return icl__conv_differentiate(conv, w->thread, (int32_t)w->images, from, icl__cpu_address(w, v->in[1], true),
                                   icl__cpu_address(w, v, false), !w->first_chunk, w->workspace);
  return icl__conv_run(conv, w->thread, (int32_t)w->images, from, icl__cpu_address(w, v->in[1], false),
                       icl__cpu_address(w, v, true), w->workspace, part, parts);
}

static const char *partial_of(const worker *w, const icl__pnode *r, int share) {
  return w->arena + r->offset + (size_t)share * r->bytes;
}

static void finish_floats(const worker *w, const icl__pnode *v, int64_t first, int64_t end) {
  enum { BLOCK = 1024 };
  const icl__pnode *r = v->in[0];
  char *out = icl__cpu_address(w, v, false);
  size_t from = icl_dtype_bytes(r->stored), to = icl_dtype_bytes(v->stored);
  for (int64_t i = first; i < end; i += BLOCK) {
    double sum[BLOCK], more[BLOCK];
    int64_t count = end - i < BLOCK ? end - i : BLOCK;
    icl__cpu_convert(r->stored, partial_of(w, r, 0) + (size_t)i * from, ICL_F64, sum, count);
    for (int s = 1; s < w->plan->policy.shares; s++) {
      icl__cpu_convert(r->stored, partial_of(w, r, s) + (size_t)i * from, ICL_F64, more, count);
      for (int64_t j = 0; j < count; j++)
        sum[j] += more[j];
    }
    icl__cpu_convert(ICL_F64, sum, v->stored, out + (size_t)i * to, count);
  }
}

/* Wraps around, as a sum that is evaluated at once does. */
static void finish_integers(const worker *w, const icl__pnode *v, int64_t first, int64_t end) {
  uint64_t *out = icl__cpu_address(w, v, false);
  for (int64_t i = first; i < end; i++) {
    out[i] = 0;
    for (int s = 0; s < w->plan->policy.shares; s++)
      out[i] += ((const uint64_t *)(const void *)partial_of(w, v->in[0], s))[i];
  }
}

static void finish_bn_sums(const worker *w, const icl__pnode *v, int64_t first, int64_t end) {
  icl__view table = {.data = icl__cpu_address(w, v, false), .pitch = icl__plan_pitch(v)};
  const icl__bn_sums out = icl__bn_sums_at(&table);
  for (int64_t i = first; i < end; i++)
    out.count[i] = out.sum[i] = out.squares[i] = 0;
  for (int s = 0; s < w->plan->policy.shares; s++) {
    icl__view part = {.data = (void *)(uintptr_t)partial_of(w, v->in[0], s), .pitch = icl__plan_pitch(v->in[0])};
    const icl__bn_sums more = icl__bn_sums_at(&part);
    icl__bn_sums_add(&out, &more, first, end);
  }
}

/* Partial results of all shares are added in their order, so that the sum is the same in every run. */
static void finish(const worker *w, const icl__pnode *v, int part, int parts) {
  bool sums = v->in[0]->op == ICL__OP_bn_sums;
  int64_t n = sums ? v->shape[1] : icl__count(v->rank, v->shape), first = n * part / parts,
          end = n * (part + 1) / parts;
  if (sums)
    finish_bn_sums(w, v, first, end);
  else if (v->stored == ICL_I64)
    finish_integers(w, v, first, end);
  else
    finish_floats(w, v, first, end);
}

static icl_status finish_conv(const worker *w, const icl__pnode *v, int part, int parts) {
  const icl__pnode *r = v->in[0];
  return icl__conv_finish(icl__unit_of(v)->conv, w->thread, w->arena + r->offset, w->plan->policy.shares, r->bytes,
                          icl__cpu_address(w, v, false), part, parts);
}

static icl_status check_nan(const icl__pnode *v, const icl__view *out) {
  int64_t columns = icl__view_columns(out), rows = icl__view_rows(out);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      if (isnan(icl__load_f64(out->dtype, out->data, i * out->pitch + j)))
        return icl__fail(ICL_ENONFINITE, "%s%s%s made a NaN%s; the step was dropped and its states are as before",
                         icl__plan_op_name(v->op), v->layer && *v->layer ? " in " : "", v->layer ? v->layer : "",
                         v->op == ICL__OP_one_hot ? " of a label that is none of its classes" : "");
  return ICL_OK;
}

/* Values in a kernel's own layout show up where they are turned back. */
static bool can_check(const icl__pnode *v) { return icl__is_float(v->stored) && !v->opaque; }

/* Tests what `v` made here. */
static icl_status check_value(const worker *w, const icl__pnode *v) {
  icl__view out = {.data = icl__cpu_address(w, v, v->behaviour == ICL__MAP), .dtype = v->stored, .rank = v->rank};
  memcpy(out.shape, v->shape, sizeof out.shape);
  if (v->behaviour == ICL__MAP)
    out.shape[0] = (int32_t)w->images;
  out.pitch = icl__plan_pitch(v);
  return check_nan(v, &out);
}

static icl_status run_unit(worker *w, const icl__pnode *v, int part, int parts) {
  const icl__unit *unit = icl__unit_of(v);
  icl__call call, sums;
  switch (unit->kind) {
  case ICL__UNIT_NONE:
    return ICL_OK;
  case ICL__UNIT_KERNEL:
    fill_call(w, v, &call);
    call.part = part;
    call.parts = parts;
    unit->kernel(&call);
    return ICL_OK;
  case ICL__UNIT_ADD_SUMS:
    fill_call(w, v, &call);
    fill_call(w, unit->second, &sums);
    icl__cpu_add_bn_sums(&call, &sums);
    return ICL_OK;
  case ICL__UNIT_CONV:
    return run_conv(w, v, part, parts);
  case ICL__UNIT_PREPARE:
    return icl__conv_prepare(unit->conv, w->thread, icl__cpu_address(w, v->in[0], false), icl__cpu_address(w, v, false),
                             part, parts);
  case ICL__UNIT_FINISH:
    finish(w, v, part, parts);
    return ICL_OK;
  case ICL__UNIT_FINISH_CONV:
    return finish_conv(w, v, part, parts);
  case ICL__UNIT_RECEIVE:
    icl__cpu_receive(w, v);
    return ICL_OK;
  }
  return ICL_OK;
}

static void run_node(worker *w, icl__pnode *v, int part, int parts) {
  const icl__cpu_device *device = w->run->program->device;
  double begin = begin_time(w);
  icl_status status = run_unit(w, v, part, parts);
  end_time(w, begin, &icl__unit_of(v)->seconds[w->thread]);
  if (status == ICL_OK && device->check_nan && icl__unit_of(v)->kind != ICL__UNIT_NONE && can_check(v))
    status = check_value(w, v);
  if (status != ICL_OK)
    fail(w, status);
}

/* ---- chains ---- */

/* Elements first to first + count - 1 of a value of a chain, or the single number that it reads. */
static void cut_view(const worker *w, const icl__pnode *v, int64_t first, int64_t count, icl__view *view) {
  bool single = icl__view_count(view) == 1;
  view->data = icl__cpu_address(w, v, false);
  view->pitch = single ? 1 : count;
  view->rank = single ? 0 : 1;
  view->shape[0] = (int32_t)count;
  if (!single && v->store != ICL__STORE_BLOCK)
    view->data = (char *)view->data + (size_t)first * icl_dtype_bytes(v->stored);
}

static void run_block(worker *w, const icl__pnode *v, int64_t first, int64_t count) {
  const icl__cpu_device *device = w->run->program->device;
  double begin = begin_time(w);
  icl__unit *unit = icl__unit_of(v);
  icl__call call = unit->call;
  cut_view(w, v, first, count, &call.out);
  for (int j = 0; j < v->inputs; j++)
    cut_view(w, v->in[j], first, count, &call.in[j]);
  call.scratch = w->workspace;
  unit->kernel(&call);
  end_time(w, begin, &unit->seconds[w->thread]);
  icl_status status = device->check_nan && can_check(v) ? check_nan(v, &call.out) : ICL_OK;
  if (status != ICL_OK)
    fail(w, status);
}

static void run_chain(worker *w, const icl__pnode *chain, int part, int parts) {
  int64_t n = icl__count(chain->rank, chain->shape), blocks = (n + ICL__BLOCK - 1) / ICL__BLOCK;
  for (int64_t i = blocks * part / parts; i < blocks * (part + 1) / parts; i++) {
    int64_t first = i * ICL__BLOCK, count = n - first < ICL__BLOCK ? n - first : ICL__BLOCK;
    for (const icl__pnode *v = chain; v; v = v->link)
      run_block(w, v, first, count);
  }
}

static void run_item(worker *w, const icl__item *item) {
  if (item->node->settled && w->run->bindings->settled)
    return;
  if (item->node->link)
    run_chain(w, item->node, item->part, item->parts);
  else
    run_node(w, item->node, item->part, item->parts);
}

/* ---- phases and sections ---- */

static icl_status interrupted(void) { return icl__fail(ICL_EINTERRUPTED, "interrupted; the step was dropped"); }

static bool is_stopped(worker *w) {
  if (w->firm || !icl__stop_wanted(w->run->bindings))
    return false;
  fail(w, interrupted());
  return true;
}

/* Behind each phase: so the next one, of this run or of another, finds that none is taken. */
static void forget_chunks(icl__cpu_program *p) {
  size_t shares = (size_t)p->plan->policy.shares;
  memset(p->taken, 0, shares * sizeof *p->taken);
  memset(p->added, 0, shares * p->instructions * sizeof *p->added);
}

/* Returns false when all threads have to leave. */
static bool barrier(worker *w, bool section) {
  double begin = begin_time(w);
  icl__team_barrier();
  if (w->thread == 0) {
    is_stopped(w);
    if (!section)
      forget_chunks(w->run->program);
    atomic_store(&w->run->leave, atomic_load(&w->run->status) != ICL_OK);
  }
  icl__team_barrier();
  end_time(w, begin, waiting(w, section));
  return !atomic_load(&w->run->leave);
}

/* A wave per barrier; the caller's barrier comes before the first. Nobody leaves while states are being written over.
 */
static bool run_section(worker *w, const icl__phase *phase, bool last) {
  bool writes = last && w->run->program->overwrites;
  int threads = w->plan->policy.threads;
  for (int wave = 0; wave < phase->waves; wave++) {
    const icl__lane *lane = &phase->lane[wave * threads + w->thread];
    for (int k = 0; k < lane->items && (writes || !is_stopped(w)); k++)
      run_item(w, &lane->item[k]);
    if (wave + 1 < phase->waves || !last) {
      if (writes)
        icl__team_barrier();
      else if (!barrier(w, true))
        return false;
    }
  }
  return true;
}

static int64_t first_of(const worker *w, const icl__phase *phase, int share) {
  return icl__plan_first_image(w->plan->domain_size[phase->domain], share, w->plan->policy.shares);
}

static void clear_partials(worker *w, const icl__phase *phase) {
  for (int i = 0; i < phase->instructions; i++) {
    const icl__pnode *v = phase->instruction[i];
    if (v->store == ICL__STORE_PARTIAL)
      memset(icl__cpu_address(w, v, false), 0, v->bytes);
  }
}

/* Shares without images. */
static void clear_empty_shares(worker *w, const icl__phase *phase) {
  for (w->share = w->thread; w->share < w->plan->policy.shares; w->share += w->plan->policy.threads)
    if (first_of(w, phase, w->share) == first_of(w, phase, w->share + 1))
      clear_partials(w, phase);
}

/* Does the op add to a partial result, itself or by what it is joined with? */
static bool adds_up(const icl__pnode *v) {
  return v->behaviour == ICL__REDUCE || icl__unit_of(v)->kind == ICL__UNIT_ADD_SUMS;
}

static void await_chunk(const worker *w, const atomic_int *added, int before) {
  double begin = begin_time(w);
  icl__team_await(added, before);
  end_time(w, begin, waiting(w, false));
}

static void run_chunk(worker *w, const icl__phase *phase, int k) {
  atomic_int *added = w->run->program->added + (size_t)w->share * w->run->program->instructions;
  for (int i = 0; i < phase->instructions; i++) {
    bool adds = adds_up(phase->instruction[i]);
    if (adds)
      await_chunk(w, &added[i], k);
    run_node(w, phase->instruction[i], 0, 1);
    if (adds)
      atomic_store_explicit(&added[i], k + 1, memory_order_release);
  }
}

/* The chunks of a share that no thread has taken. One that is taken is run to its end, so that nobody waits in vain. */
static void run_share(worker *w, const icl__phase *phase, int share) {
  atomic_int *taken = &w->run->program->taken[share];
  int64_t begin = first_of(w, phase, share), own = first_of(w, phase, share + 1) - begin;
  int64_t chunks = icl__chunks(own, phase->chunk);
  int k;
  w->share = share;
  while (!is_stopped(w) && (k = atomic_fetch_add(taken, 1)) < chunks) { /* the barrier tells everybody why */
    w->first = begin + own * k / chunks;
    w->images = begin + own * (k + 1) / chunks - w->first;
    w->first_chunk = k == 0;
    run_chunk(w, phase, k);
  }
}

/* Its own shares from the first to the last, then those of others, which are likely to be there yet, from their last.
 */
static void run_images(worker *w, const icl__phase *phase) {
  int shares = w->plan->policy.shares, threads = w->plan->policy.threads;
  int first = shares * w->thread / threads, end = shares * (w->thread + 1) / threads;
  clear_empty_shares(w, phase);
  for (int share = first; share < end; share++)
    run_share(w, phase, share);
  for (int i = 1; i <= shares - (end - first); i++)
    run_share(w, phase, (first - i + shares) % shares);
  w->first = w->images = 0;
  w->first_chunk = true;
}

/* Waits for what other threads have computed of an image. All come here, in spite of failures. */
static void meet(const worker *w) {
  double begin = begin_time(w);
  icl__team_barrier();
  end_time(w, begin, waiting(w, false));
}

/* The first thread computes what is not worth dividing. What stays in chunks lies in its memory. */
static void run_images_together(worker *w, const icl__phase *phase) {
  char *scratch = w->scratch;
  int before = 1;
  w->scratch = w->arena + w->plan->arena_bytes;
  w->images = 1;
  clear_empty_shares(w, phase);
  w->share = w->plan->policy.shares - 1; /* which has the only image, where any is summed up */
  for (w->first = 0; w->first < w->plan->domain_size[phase->domain]; w->first++)
    for (int i = 0; i < phase->instructions; i++) {
      int parts = icl__unit_of(phase->instruction[i])->parts;
      if (parts > 1 || before > 1)
        meet(w);
      if (w->thread < parts)
        run_node(w, phase->instruction[i], w->thread, parts);
      before = parts;
    }
  w->first = w->images = 0;
  w->scratch = scratch;
}

/* The first thread speaks with the other ranks. */
static bool run_phase(worker *w, int p) {
  const icl__phase *phase = &w->plan->phase[p];
  icl_status status = w->thread == 0 ? icl__cpu_send(w, p) : ICL_OK;
  if (phase->instructions && icl__cpu_together(w->plan, phase))
    run_images_together(w, phase);
  else if (phase->instructions)
    run_images(w, phase);
  if (w->thread == 0 && status == ICL_OK)
    status = icl__cpu_await(w, p);
  if (status != ICL_OK)
    fail(w, status);
  return barrier(w, false);
}

static void work(int thread, int threads, void *context) {
  replay *run = context;
  icl__plan *plan = run->program->plan;
  size_t own = plan->scratch_bytes + plan->workspace_bytes;
  char *arena = run->bindings->arena, *scratch = arena + plan->arena_bytes + own * (size_t)thread;
  worker w = {.run = run,
              .plan = plan,
              .thread = thread,
              .arena = arena,
              .scratch = scratch,
              .workspace = scratch + plan->scratch_bytes,
              .first_chunk = true};
  (void)threads;
  bool on = run_section(&w, &plan->phase[0], plan->phases == 0);
  for (int p = 1; on && p <= plan->phases; p++) {
    w.firm = plan->sends && p == plan->phases;
    on = run_phase(&w, p);
    on = on && run_section(&w, &plan->phase[p], p == plan->phases);
  }
}

static icl_status run_all(icl__cpu_program *p, const icl__bindings *bindings) {
  replay run = {.program = p, .bindings = bindings};
  atomic_init(&run.status, ICL_OK);
  atomic_init(&run.leave, 0);
  ICL__TRY(icl__team_run(p->device->threads, work, &run));
  int status = atomic_load(&run.status);
  return status == ICL_OK ? ICL_OK : icl__fail((icl_status)status, "%s", run.message);
}

/* Those of the first run count only where there is no other: it fetches memory from the system. */
static void forget_times(icl__cpu_program *p) {
  size_t threads = (size_t)p->device->threads;
  for (int i = 0; i < p->plan->nodes; i++)
    memset(icl__unit_of(p->plan->node[i])->seconds, 0, threads * sizeof(double));
  memset(p->waiting, 0, 2 * threads * sizeof *p->waiting);
  p->sending = p->blocked = 0;
}

icl_status icl__cpu_run(void *device, void *program, const icl__bindings *bindings) {
  icl__cpu_program *p = program;
  (void)device;
  if (icl__stop_wanted(bindings))
    return icl__cpu_give_up(p, bindings, interrupted());
  if (++p->runs == 2 && p->device->profile)
    forget_times(p);
  p->left_out = bindings->settled;
  double busy = icl__cpu_busy(p, bindings);
  icl_status status = run_all(p, bindings);
  p->sending += icl__cpu_busy(p, bindings) - busy;
  return status == ICL_OK ? ICL_OK : icl__cpu_give_up(p, bindings, status);
}
