/* engine.c - opening and closing an engine, and the strings its nodes share. */
#include "graph/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "backend/registry.h"
#include "plan/device_memory.h"

static icl_status number_from_environment(const char *name, int most, int *value) {
  const char *text = getenv(name);
  if (*value || !text || !*text)
    return ICL_OK;
  char *end;
  long number = strtol(text, &end, 10);
  if (*end || number < 1 || number > most)
    return icl__fail(ICL_EINVAL, "%s is '%s'; it must be a whole number from 1 to %d", name, text, most);
  *value = (int)number;
  return ICL_OK;
}

enum { MOST_THREADS = 1024, MOST_SHARES = 1024, MOST_CHUNK = 1 << 20 };

static icl_status configure(icl_engine *engine, const icl_config *config) {
  icl__policy *policy = &engine->policy;
  ICL__TRY(icl__policy_parse(config->plan ? config->plan : getenv("ICL_PLAN"), policy));
  policy->threads = config->threads;
  policy->chunk = config->chunk;
  ICL__TRY(number_from_environment("ICL_THREADS", MOST_THREADS, &policy->threads));
  policy->shares = config->shares;
  ICL__TRY(number_from_environment("ICL_CHUNK", MOST_CHUNK, &policy->chunk));
  if (policy->threads < 0 || policy->threads > MOST_THREADS || policy->chunk < 0)
    return icl__fail(ICL_EINVAL, "engine: threads must be 0 to %d and chunk 0 or more", MOST_THREADS);
  if (policy->shares < 0 || policy->shares > MOST_SHARES)
    return icl__fail(ICL_EINVAL, "engine: shares is %d; it must be 0 to %d", policy->shares, MOST_SHARES);
  if (!policy->threads)
    policy->threads = icl__threads_default();
  engine->threads = policy->threads;
  engine->eager = config->eager;
  engine->profile = config->profile;
  engine->check_nan = config->check_nan;
  if (config->check_nan)
    policy->inplace = false; /* states are written over only when nothing is left to be found */
  return ICL_OK;
}

static bool is_word_of(const char *words, const char *word) {
  size_t length = strlen(word);
  for (const char *at = words; *at; at += strcspn(at, " "), at += strspn(at, " "))
    if (strcspn(at, " ") == length && !memcmp(at, word, length))
      return true;
  return false;
}

static icl_status open_device(icl_engine *engine, const icl_config *config) {
  icl__device_options options = {
      .threads = engine->threads,
      .profile = engine->profile,
      .check_nan = engine->check_nan,
      .precise = config->precise,
      .deterministic = config->deterministic,
      .precision = config->precision ? config->precision : "f32",
  };
  const char *name = config->device ? config->device : "cpu";
  ICL__TRY(icl__backend_find(name, &engine->backend, &options.ordinal));
  if (!is_word_of(engine->backend->precisions, options.precision))
    return icl__fail(ICL_ENOTSUP, "device %s has no precision %s; it has %s", name, options.precision,
                     engine->backend->precisions);
  ICL__TRY(engine->backend->open(&options, &engine->device));
  if (engine->backend->policy)
    engine->backend->policy(engine->device, &engine->policy);
  if (config->shares > 1 && (engine->backend->unplanned || engine->policy.shares != config->shares)) {
    engine->backend->close(engine->device);
    return icl__fail(ICL_ENOTSUP, "device %s sums a batch up as one, and takes no shares: leave them out", name);
  }
  if (!engine->policy.shares)
    engine->policy.shares = engine->policy.threads;
  return ICL_OK;
}

icl_status icl_engine_new(const icl_config *config, icl_engine **result) {
  static const icl_config standard;
  icl_engine *engine = icl__calloc(1, sizeof *engine);
  if (!engine)
    return icl__fail(ICL_ENOMEM, "no memory for an engine");
  engine->references = 1;
  config = config ? config : &standard;
  icl_status status = configure(engine, config);
  if (status == ICL_OK)
    status = open_device(engine, config);
  if (status != ICL_OK) {
    icl__free(engine);
    return status;
  }
  *result = engine;
  return ICL_OK;
}

/* ---- groups ---- */

/* Every rank tells the others what it computes on. */
static icl_status check_devices(const icl_engine *engine, icl_group *group) {
  enum { NAME = 32 };
  int size = icl_group_size(group), other = 1;
  char mine[NAME] = "", *all = icl__alloc((size_t)size, NAME);
  if (!all)
    return ICL_ENOMEM;
  snprintf(mine, sizeof mine, "%s", engine->backend->name);
  icl_status status = icl_group_gather(group, mine, NAME, all);
  while (status == ICL_OK && other < size && !strcmp(all, all + other * NAME))
    other++;
  if (status == ICL_OK && other < size)
    status = icl__fail(ICL_EINVAL,
                       "all processes of a group must compute on devices of one kind: rank 0 on %s has %s, rank %d on "
                       "%s has %s",
                       icl_group_host(group, 0), all, other, icl_group_host(group, other), all + other * NAME);
  icl__free(all);
  return status;
}

/* Plans are made for a number of ranks, and programs for a group. */
static void forget_plans(icl_engine *engine) {
  engine->last_plan = NULL;
  icl__plan_cache_clear(&engine->plans);
}

static void leave_group(icl_engine *engine) {
  if (engine->group && engine->backend->join)
    engine->backend->join(engine->device, NULL);
  icl_group_release(engine->group);
  engine->group = NULL;
  engine->policy.ranks = 1;
}

icl_status icl_engine_set_group(icl_engine *engine, icl_group *group) {
  int ranks = group ? icl_group_size(group) : 1;
  if (engine->in_step)
    return icl__fail(ICL_EINVAL, "the group of an engine cannot change inside a step");
  if (ranks > 1 && !engine->backend->groups)
    return icl__fail(ICL_ENOTSUP, "device %s cannot work in a group of processes; use device cpu, or one process",
                     engine->backend->name);
  if (ranks > 1)
    ICL__TRY(check_devices(engine, group));
  if (group)
    icl_group_retain(group);
  forget_plans(engine);
  leave_group(engine);
  engine->joins = false;
  if (ranks > 1 && engine->backend->join) {
    icl_status status = engine->backend->join(engine->device, group);
    if (status != ICL_OK) {
      icl_group_release(group);
      return status;
    }
  }
  engine->group = group;
  engine->policy.ranks = ranks;
  return ICL_OK;
}

icl_group *icl_engine_group(const icl_engine *engine) { return engine->group; }

/* ---- the end ---- */

void icl__engine_retain(icl_engine *engine) { engine->references++; }

void icl__engine_release(icl_engine *engine) {
  if (--engine->references)
    return;
  while (engine->free_nodes) {
    icl__node *node = engine->free_nodes;
    engine->free_nodes = node->in[0];
    icl__free(node);
  }
  engine->backend->close(engine->device);
  for (size_t i = 0; i < engine->string_capacity; i++)
    icl__free(engine->strings[i]);
  icl__free(engine->strings);
  icl__free(engine->form.listed);
  icl__free(engine->form.key);
  icl__free(engine->record);
  icl__free(engine);
}

void icl_engine_free(icl_engine *engine) {
  if (!engine)
    return;
  if (engine->in_step)
    icl_step_cancel(engine);
  while (engine->touched) /* gradients that were asked for outside of a step */
    icl__state_reset(engine->touched);
  forget_plans(engine);
  leave_group(engine);
  icl__engine_release(engine);
}

int icl_engine_threads(const icl_engine *engine) { return engine->threads; }

int icl_engine_shares(const icl_engine *engine) { return engine->policy.shares; }

void icl_engine_describe_device(const icl_engine *engine, char *text, size_t size) {
  engine->backend->describe(engine->device, text, size);
}

/* ---- devices that work late ---- */

icl_status icl__engine_check(const icl_engine *engine) {
  if (engine->lost == ICL_OK)
    return ICL_OK;
  return icl__fail(engine->lost,
                   "the device failed, and values that it had are lost; go on from the last checkpoint: %s",
                   engine->lost_message);
}

icl_status icl__engine_lose(icl_engine *engine, icl_status status) {
  if (status == ICL_OK)
    return ICL_OK;
  if (engine->lost == ICL_OK) {
    engine->lost = status == ICL_ENOMEM ? ICL_EBACKEND : status; /* more memory does not bring back what is lost */
    snprintf(engine->lost_message, sizeof engine->lost_message, "%s", icl_message());
  }
  return icl__engine_check(engine);
}

icl_status icl__engine_download(icl_engine *engine, void *host, const void *from, size_t bytes) {
  ICL__TRY(icl__engine_check(engine));
  return icl__engine_lose(engine, icl__device_download(engine->backend, engine->device, host, from, bytes));
}

icl_status icl_engine_wait(icl_engine *engine) {
  ICL__TRY(icl__engine_check(engine));
  return engine->backend->wait ? icl__engine_lose(engine, engine->backend->wait(engine->device)) : ICL_OK;
}

void icl_engine_interrupt(icl_engine *engine) { atomic_store(&engine->stop, true); }
bool icl_engine_interrupted(const icl_engine *engine) { return atomic_load(&engine->stop); }
void icl_engine_resume(icl_engine *engine) { atomic_store(&engine->stop, false); }

void icl_engine_statistics(const icl_engine *engine, icl_statistics *result) {
  *result = engine->statistics;
  result->arena_bytes = engine->plans.arena_bytes;
  result->lasting_bytes = engine->plans.lasting.bytes;
}

icl_status icl_engine_profile(icl_engine *engine, char **text) {
  *text = NULL;
  if (!engine->profile || !engine->backend->profile)
    return icl__fail(ICL_EINVAL, "profile: the engine keeps no times; open it with profile = true on device cpu");
  bool steps = false; /* with steps, what was evaluated at once in between is noise */
  for (const icl__plan *plan = engine->plans.newest; plan; plan = plan->older)
    steps |= plan->phases > 0;
  for (icl__plan *plan = engine->plans.newest; plan; plan = plan->older)
    if (plan->phases > 0 || !steps)
      ICL__TRY(engine->backend->profile(engine->device, plan->program, text));
  return *text ? ICL_OK : icl__fail(ICL_ENOVALUE, "profile: nothing was evaluated yet");
}

icl_status icl_engine_describe_plan(icl_engine *engine, char **text) {
  if (!engine->last_plan)
    return icl__fail(ICL_ENOVALUE, "describe_plan: nothing was evaluated yet");
  return icl__plan_describe(engine->last_plan, text);
}

const char *icl_engine_advice(icl_engine *engine) {
  static const char *const none;
  if (!engine->advice[0] || engine->advised)
    return none;
  engine->advised = true;
  return engine->advice;
}

void icl_free(void *memory) { icl__free(memory); }

uint64_t icl__engine_mark(icl_engine *engine) { return ++engine->next_mark; }

/* ---- strings ---- */

static uint64_t string_hash(const char *text) {
  uint64_t h = 14695981039346656037u; /* FNV-1a */
  for (; *text; text++)
    h = (h ^ (uint8_t)*text) * 1099511628211u;
  return h;
}

static bool grow_strings(icl_engine *engine) {
  size_t capacity = engine->string_capacity ? 2 * engine->string_capacity : 256;
  char **strings = icl__calloc(capacity, sizeof *strings);
  if (!strings)
    return false;
  for (size_t i = 0; i < engine->string_capacity; i++)
    if (engine->strings[i]) {
      size_t at = string_hash(engine->strings[i]) & (capacity - 1);
      while (strings[at])
        at = (at + 1) & (capacity - 1);
      strings[at] = engine->strings[i];
    }
  icl__free(engine->strings);
  engine->strings = strings;
  engine->string_capacity = capacity;
  return true;
}

/* The engine's copy of a string; NULL if there is no memory: names are for messages only. */
const char *icl__engine_intern(icl_engine *engine, const char *text) {
  if (!text)
    return NULL;
  if (engine->string_count * 2 >= engine->string_capacity && !grow_strings(engine))
    return NULL;
  size_t at = string_hash(text) & (engine->string_capacity - 1);
  for (; engine->strings[at]; at = (at + 1) & (engine->string_capacity - 1))
    if (!strcmp(engine->strings[at], text))
      return engine->strings[at];
  char *copy = icl__strdup(text);
  if (!copy)
    return NULL;
  engine->string_count++;
  return engine->strings[at] = copy;
}

void icl_engine_layer(icl_engine *engine, const char *path) { engine->layer = icl__engine_intern(engine, path); }

void icl_engine_locate(icl_engine *engine, const char *source, int line) {
  if (!source || !engine->source || strcmp(source, engine->source)) /* most ops come from one file */
    engine->source = icl__engine_intern(engine, source);
  engine->line = line;
}
