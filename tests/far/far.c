/* far.c - device "far", a plug-in for tests: a memory of its own and work that is done late, as a GPU has them. What it
 * computes, the CPU computes for it, on one thread and in whole batches.
 *
 * far:0 has 4 GB, far:1 has 64 MB. The environment lets it fail: FAR_REFUSE=why as a plug-in, FAR_FAIL_RUN=n in its run
 * number n, late, FAR_FAIL_COMPILE=1 when it compiles. A run that finds
 * the arena or a state elsewhere than the first run of its program did has moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/host.h"
#include "memory.h"
#include "queue.h"

static const icl__host *host;
static const icl__backend *cpu;

typedef struct {
  void *inner; /* the CPU as a device */
  far_memory memory;
  pthread_mutex_t lock; /* of the memory, which the queue's thread takes blocks back into */
  far_queue queue;
  int ordinal, runs, moved, plans, fail_run;
  bool deterministic, check_nan;
  const char *precision;
} far_device;

typedef struct {
  void *inner; /* the CPU's program */
  const icl__plan *plan;
  bool ran;
  const void *place[]; /* of the arena, of states by leaf, of states by output */
} far_program;

/* ---- opening ---- */

static icl_status open_device(const icl__device_options *options, void **result) {
  if (options->ordinal > 1)
    return host->fail(ICL_ENOENT, "far: there are devices 0 and 1, not %d", options->ordinal);
  icl__device_options own = *options;
  own.threads = 1;
  own.precision = "f32";
  far_device *device = calloc(1, sizeof *device);
  if (!device)
    return ICL_ENOMEM;
  const char *fail = getenv("FAR_FAIL_RUN");
  device->fail_run = fail ? atoi(fail) : 0;
  device->ordinal = options->ordinal;
  device->deterministic = options->deterministic;
  device->check_nan = options->check_nan;
  device->precision = strcmp(options->precision, "tf32") == 0 ? "tf32" : "f32";
  pthread_mutex_init(&device->lock, NULL);
  size_t bytes = options->ordinal ? (size_t)64 << 20 : (size_t)4 << 30;
  icl_status status = far_memory_open(&device->memory, bytes) ? cpu->open(&own, &device->inner)
                                                              : host->fail(ICL_ENOMEM, "far: no memory");
  if (status == ICL_OK && !far_queue_open(&device->queue, host->message)) {
    cpu->close(device->inner);
    status = host->fail(ICL_ENOMEM, "far: no thread");
  }
  *result = device;
  if (status != ICL_OK) {
    far_memory_close(&device->memory);
    free(device);
  }
  return status;
}

static void close_device(void *context) {
  far_device *device = context;
  far_queue_close(&device->queue);
  cpu->close(device->inner);
  far_memory_close(&device->memory);
  pthread_mutex_destroy(&device->lock);
  free(device);
}

static void describe(void *context, char *text, size_t size) {
  const far_device *device = context;
  snprintf(text, size, "far:%d: %s%s; %d plans, %d runs, %d moved", device->ordinal, device->precision,
           device->deterministic ? ", deterministic" : "", device->plans, device->runs, device->moved);
}

static int count(void) { return 2; }

/* Like a GPU: one queue, which takes the batch as a whole. */
static void choose_policy(void *context, icl__policy *policy) {
  (void)context;
  policy->threads = 1;
  policy->chunk = 0;
  policy->chunks = false;
}

/* ---- memory ---- */

static void *take(far_device *device, size_t bytes) {
  pthread_mutex_lock(&device->lock);
  void *address = far_memory_take(&device->memory, bytes);
  pthread_mutex_unlock(&device->lock);
  return address;
}

static icl_status allocate(void *context, size_t bytes, void **result) {
  far_device *device = context;
  if (!(*result = take(device, bytes))) {
    far_queue_wait(&device->queue); /* what was given back is free then */
    *result = take(device, bytes);
  }
  return *result ? ICL_OK : host->fail(ICL_ENOMEM, "far: no memory for %zu bytes", bytes);
}

static size_t available(void *context) {
  far_device *device = context;
  far_queue_wait(&device->queue);
  return device->memory.bytes - device->memory.used;
}

typedef struct {
  far_job job;
  far_device *device;
  void *to;
  const void *from;
  size_t bytes;
  char data[]; /* of an upload */
} transfer;

static icl_status add_transfer(far_device *device, const transfer *values, const void *data) {
  transfer *t = malloc(sizeof *t + (data ? values->bytes : 0));
  if (!t)
    return host->fail(ICL_ENOMEM, "far: no memory for a job");
  *t = *values;
  t->device = device;
  if (data)
    memcpy(t->data, data, values->bytes);
  far_queue_add(&device->queue, &t->job);
  return ICL_OK;
}

static icl_status give_back(far_job *job) {
  transfer *t = (transfer *)job;
  pthread_mutex_lock(&t->device->lock);
  far_memory_give(&t->device->memory, t->to);
  pthread_mutex_unlock(&t->device->lock);
  return ICL_OK;
}

static void release(void *context, void *memory) {
  add_transfer(context, &(transfer){.job = {.work = give_back, .always = true}, .to = memory}, NULL);
}

static icl_status do_upload(far_job *job) {
  transfer *t = (transfer *)job;
  memcpy(far_memory_real(&t->device->memory, t->to), t->data, t->bytes);
  return ICL_OK;
}

static icl_status upload(void *context, void *memory, const void *data, size_t bytes) {
  return add_transfer(context, &(transfer){.job = {.work = do_upload}, .to = memory, .bytes = bytes}, data);
}

static icl_status do_copy(far_job *job) {
  transfer *t = (transfer *)job;
  memcpy(far_memory_real(&t->device->memory, t->to), far_memory_real(&t->device->memory, t->from), t->bytes);
  return ICL_OK;
}

static icl_status copy(void *context, void *to, const void *from, size_t bytes) {
  return add_transfer(context, &(transfer){.job = {.work = do_copy}, .to = to, .from = from, .bytes = bytes}, NULL);
}

static icl_status wait_for(void *context) {
  far_device *device = context;
  icl_status status = far_queue_wait(&device->queue);
  return status == ICL_OK ? ICL_OK : host->fail(status, "%s", device->queue.message);
}

static icl_status download(void *context, void *data, const void *memory, size_t bytes) {
  far_device *device = context;
  icl_status status = wait_for(device);
  if (status == ICL_OK)
    memcpy(data, far_memory_real(&device->memory, memory), bytes);
  return status;
}

/* ---- plans: the CPU's, which must not be at work meanwhile ---- */

static icl_status rewrite(void *context, icl__plan *plan) { return cpu->rewrite(((far_device *)context)->inner, plan); }

static bool takes_pitch(void *context, const icl__pnode *v, int input) {
  return cpu->takes_pitch(((far_device *)context)->inner, v, input);
}

static icl_status lower(void *context, icl__plan *plan) {
  far_device *device = context;
  far_queue_wait(&device->queue);
  device->plans++;
  return cpu->lower(device->inner, plan);
}

static void forget(void *context, icl__plan *plan) {
  far_device *device = context;
  far_queue_wait(&device->queue);
  device->plans--;
  cpu->forget(device->inner, plan);
}

static icl_status compile(void *context, icl__plan *plan, void **result) {
  if (getenv("FAR_FAIL_COMPILE"))
    return host->fail(ICL_EBACKEND, "far: it cannot compile");
  size_t places = 1 + (size_t)plan->leaves + (size_t)plan->outputs;
  far_program *program = calloc(1, sizeof *program + places * sizeof *program->place);
  if (!program)
    return ICL_ENOMEM;
  program->plan = plan;
  icl_status status = cpu->compile(((far_device *)context)->inner, plan, &program->inner);
  if (status == ICL_OK)
    *result = program;
  else
    free(program);
  return status;
}

static void discard(void *context, void *program) {
  far_device *device = context;
  far_queue_wait(&device->queue);
  cpu->discard(device->inner, ((far_program *)program)->inner);
  free(program);
}

/* ---- runs ---- */

typedef struct {
  far_job job;
  far_device *device;
  const far_program *program;
  int number;
  icl__bindings bindings;
  void *addresses[]; /* of leaves, of outputs; then numbers */
} run_job;

static icl_status do_run(far_job *job) {
  run_job *run = (run_job *)job;
  if (run->number == run->device->fail_run)
    return host->fail(ICL_EBACKEND, "far: run %d failed in conv2d", run->number);
  return cpu->run(run->device->inner, run->program->inner, &run->bindings);
}

/* Takes along what is the host's: numbers, and the lists of addresses. */
static void bind(run_job *run, const icl__bindings *given) {
  const icl__plan *plan = run->program->plan;
  const far_memory *memory = &run->device->memory;
  const void **leaf = (const void **)run->addresses;
  void **output = run->addresses + plan->leaves;
  double *number = (double *)(output + plan->outputs);
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    if (v->kind == ICL__LEAF_NUMBER) {
      number[v->leaf] = *(const double *)given->leaf[v->leaf];
      leaf[v->leaf] = &number[v->leaf];
    } else if (v->leaf >= 0) {
      leaf[v->leaf] = far_memory_real(memory, given->leaf[v->leaf]);
    }
  }
  for (int k = 0; k < plan->outputs; k++)
    output[k] = far_memory_real(memory, given->output[k]);
  run->bindings = (icl__bindings){.leaf = leaf, .output = output, .arena = far_memory_real(memory, given->arena)};
}

/* Notes an address; is it another one than before? */
static bool differs(far_program *p, int i, const void *address) {
  bool other = p->ran && p->place[i] != address;
  p->place[i] = address;
  return other;
}

static bool has_moved(far_program *p, const icl__bindings *bindings) {
  const icl__plan *plan = p->plan;
  bool moved = differs(p, 0, bindings->arena);
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->kind == ICL__LEAF_STATE)
      moved |= differs(p, 1 + plan->node[i]->leaf, bindings->leaf[plan->node[i]->leaf]);
  for (int k = 0; k < plan->outputs; k++)
    moved |= differs(p, 1 + plan->leaves + k, bindings->output[k]);
  p->ran = true;
  return moved;
}

static icl_status run_program(void *context, void *program, const icl__bindings *bindings) {
  far_device *device = context;
  far_program *p = program;
  if (icl__stop_wanted(bindings))
    return host->fail(ICL_EINTERRUPTED, "interrupted; the step was dropped");
  size_t addresses = (size_t)p->plan->outputs + 2 * (size_t)p->plan->leaves;
  run_job *run = malloc(sizeof *run + addresses * sizeof *run->addresses);
  if (!run)
    return host->fail(ICL_ENOMEM, "far: no memory for a run");
  run->job = (far_job){.work = do_run};
  run->device = device;
  run->program = p;
  run->number = ++device->runs;
  device->moved += has_moved(p, bindings);
  bind(run, bindings);
  if (!device->check_nan) {
    far_queue_add(&device->queue, &run->job);
    return ICL_OK;
  }
  icl_status status = wait_for(device);
  if (status == ICL_OK)
    status = do_run(&run->job);
  free(run);
  return status;
}

static const icl__backend far = {
    .abi = ICL__BACKEND_ABI,
    .name = "far",
    .precisions = "f32 tf32",
    .slots = true,
    .open = open_device,
    .close = close_device,
    .describe = describe,
    .count = count,
    .policy = choose_policy,
    .allocate = allocate,
    .release = release,
    .available = available,
    .upload = upload,
    .download = download,
    .copy = copy,
    .wait = wait_for,
    .rewrite = rewrite,
    .takes_pitch = takes_pitch,
    .lower = lower,
    .forget = forget,
    .compile = compile,
    .run = run_program,
    .discard = discard,
};

icl__plugin_open_fn icl_backend_open;

const icl__backend *icl_backend_open(const icl__host *given) {
  host = given;
  if (host->abi != ICL__BACKEND_ABI) {
    host->fail(ICL_ENOTSUP, "far: it was built for another version of icl");
    return NULL;
  }
  const char *why = getenv("FAR_REFUSE");
  cpu = host->built_in("cpu");
  if (why)
    host->fail(ICL_ENOTSUP, "far: %s", why);
  return why ? NULL : &far;
}
