/* storage.c - where each value lies: one arena by lifetime, chunks of scratch within a phase, memory bound at each run.
 */
#include "plan/stages.h"

#include <stdlib.h>

#include "base/memory.h"

/* ---- states ---- */

/* Is `needed` among what v is computed from, within the last section? */
static bool comes_before(const icl__pnode *needed, const icl__pnode *v, int section, int depth) {
  for (int j = 0; j < v->inputs && depth; j++)
    if (v->in[j] == needed || (v->in[j]->phase == section && icl__plan_is_global(v->in[j]) &&
                               comes_before(needed, v->in[j], section, depth - 1)))
      return true;
  return false;
}

enum { LONGEST_UPDATE = 8 };

/* May the new version be written over the old one (NULL: nothing reads that)? Yes in the last section, which nothing
 * interrupts, if an element needs only the same element, and every other reader of the old version runs before. */
static bool may_overwrite(const icl__plan *plan, const icl__pnode *v, const icl__pnode *old) {
  if (!v->slack || v->phase != plan->phases)
    return false;
  if (!old)
    return true;
  if (!icl__plan_elementwise(v) || v->stored != old->stored)
    return false;
  for (int i = 0; i < old->uses; i++) {
    const icl__pnode *reader = old->use[i];
    bool earlier = reader == v || reader->phase < plan->phases || icl__plan_runs_in_phase(reader) ||
                   reader->wave < v->wave || (reader->chain == v->chain && reader->place < v->place) ||
                   comes_before(reader, v, plan->phases, LONGEST_UPDATE);
    if (!earlier)
      return false;
  }
  return true;
}

static icl_status write_over_states(icl__plan *plan) {
  if (!plan->policy.inplace)
    return ICL_OK;
  const icl__pnode **leaf = icl__calloc((size_t)plan->leaves, sizeof *leaf);
  if (!leaf)
    return ICL_ENOMEM;
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->leaf >= 0)
      leaf[plan->node[i]->leaf] = plan->node[i];
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    if (!v->state_output)
      continue;
    int old = plan->state_leaf[v->output];
    plan->in_place[v->output] = may_overwrite(plan, v, old < 0 ? NULL : leaf[old]);
  }
  icl__free(leaf);
  return ICL_OK;
}

/* Gives what is not written in place a place that is the same in every run and ends with it. */
static void take_slots(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->output < 0 || plan->in_place[v->output])
      continue;
    v->store = v->behaviour == ICL__MAP ? ICL__STORE_BATCH : ICL__STORE_SHARED;
    v->last = 2 * plan->phases + 1;
  }
}

static void note_slots(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    const icl__pnode *v = plan->node[i];
    if (v->output >= 0 && !plan->in_place[v->output])
      plan->slot[v->output] = v->offset;
  }
}

/* ---- layout ---- */

typedef struct {
  size_t *offset; /* where its place goes */
  int index;      /* decides among equal sizes */
  size_t size;
  int from, to;
} span;

static int larger_first(const void *a, const void *b) {
  const span *x = a, *y = b;
  if (x->size != y->size)
    return x->size < y->size ? 1 : -1;
  return (x->index > y->index) - (x->index < y->index);
}

typedef struct {
  size_t offset, end;
  int from, to;
} placed;

/* The lowest offset that is free during the whole life of `s`; `taken` is sorted by offset. */
static size_t lowest_free(const placed *taken, int count, const span *s) {
  size_t at = 0;
  for (int j = 0; j < count && taken[j].offset < at + s->size; j++)
    if (taken[j].from <= s->to && s->from <= taken[j].to && taken[j].end > at)
      at = taken[j].end;
  return at;
}

static void insert(placed *taken, int count, placed p) {
  int j = count;
  for (; j > 0 && taken[j - 1].offset > p.offset; j--)
    taken[j] = taken[j - 1];
  taken[j] = p;
}

/* Largest first. Sets *used to the bytes used, if that is more. */
static icl_status lay_out(span *item, int count, size_t *used) {
  placed *taken = icl__alloc((size_t)count, sizeof *taken);
  if (!taken)
    return ICL_ENOMEM;
  qsort(item, (size_t)count, sizeof *item, larger_first);
  for (int i = 0; i < count; i++) {
    size_t at = lowest_free(taken, i, &item[i]), end = at + item[i].size;
    insert(taken, i, (placed){at, end, item[i].from, item[i].to});
    *item[i].offset = at;
    *used = end > *used ? end : *used;
  }
  icl__free(taken);
  return ICL_OK;
}

/* Values begin on cache lines; large ones on a line of their own within the page, since streams that lie a power of two
 * apart meet in the same sets of the cache. */
static size_t padded(size_t bytes) {
  enum { LINE = 64, PAGE = 4096 };
  return bytes < PAGE ? (bytes + LINE - 1) / LINE * LINE + LINE : (bytes + PAGE - 1) / PAGE * PAGE + 5 * LINE;
}

/* Bytes of one image, of one share's partial result, or of the value. */
static size_t bytes_of(const icl__pnode *v) {
  bool images = v->store == ICL__STORE_BATCH || v->store == ICL__STORE_CHUNK;
  return images ? icl__plan_image_stride(v) : icl__plan_stored_bytes(v);
}

static icl_status lay_out_chunks(icl__plan *plan, span *item) {
  for (int p = 1; p <= plan->phases; p++) {
    const icl__phase *phase = &plan->phase[p];
    int n = 0;
    for (int i = 0; i < phase->instructions; i++) {
      icl__pnode *v = phase->instruction[i];
      if (v->store == ICL__STORE_CHUNK && !v->same)
        item[n++] = (span){&v->offset, v->index, padded(v->bytes * (size_t)phase->chunk), v->place, v->last_place};
    }
    ICL__TRY(lay_out(item, n, &plan->scratch_bytes));
  }
  return ICL_OK;
}

static icl_status lay_out_blocks(icl__plan *plan, span *item) {
  for (int i = 0; i < plan->nodes; i++) {
    int n = 0;
    for (icl__pnode *v = plan->node[i]->chain == plan->node[i] ? plan->node[i] : NULL; v; v = v->link)
      if (v->store == ICL__STORE_BLOCK)
        item[n++] =
            (span){&v->offset, v->index, padded(ICL__BLOCK * icl_dtype_bytes(v->stored)), v->place, v->last_place};
    if (n)
      ICL__TRY(lay_out(item, n, &plan->scratch_bytes));
  }
  return ICL_OK;
}

/* From the first value that is written into it until the last that lies in it, or has to be copied out, is used. */
static span span_of_bucket(const icl__plan *plan, icl__bucket *b) {
  size_t bytes = icl__bucket_bytes(b) * (size_t)(b->join ? 1 + plan->policy.ranks : 1);
  span s = {&b->offset, plan->nodes + b->place, padded(bytes), 2 * b->start, 2 * b->wait};
  for (int k = 0; k < b->members; k++) {
    const icl__pnode *v = b->member[k], *u = v->in[0];
    int made = u->inside && u->bucket == b ? icl__plan_made_at(u) : s.from;
    int until = v->inside ? v->last : icl__plan_made_at(v);
    s.from = made < s.from ? made : s.from;
    s.to = until > s.to ? until : s.to;
  }
  return s;
}

static void find_places_in_buckets(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    if (v->inside)
      v->offset = v->bucket->offset + v->element * icl_dtype_bytes(v->bucket->dtype);
  }
}

static icl_status lay_out_arena(icl__plan *plan, span *item) {
  int n = 0;
  for (int i = 0; i < plan->buckets; i++)
    item[n++] = span_of_bucket(plan, plan->bucket[i]);
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    size_t times = 1;
    if (v->store == ICL__STORE_BATCH)
      times = (size_t)plan->domain_size[v->domain];
    else if (v->store == ICL__STORE_PARTIAL)
      times = (size_t)plan->policy.shares;
    else if (v->store != ICL__STORE_SHARED)
      continue;
    if (v->same || v->inside)
      continue;
    if (v->store == ICL__STORE_PARTIAL)
      v->bytes = padded(v->bytes);
    item[n++] = (span){&v->offset, v->index, padded(v->bytes * times), icl__plan_made_at(v), v->last};
    if (v->store == ICL__STORE_BATCH)
      plan->kept_bytes += v->bytes * times;
  }
  ICL__TRY(lay_out(item, n, &plan->arena_bytes));
  find_places_in_buckets(plan);
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->same)
      plan->node[i]->offset = plan->node[i]->same->offset;
  return ICL_OK;
}

static void lay_out_lasting(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->store == ICL__STORE_LASTING) {
      plan->node[i]->offset = plan->lasting_bytes;
      plan->lasting_bytes += padded(plan->node[i]->bytes);
    }
}

icl_status icl__plan_storage(icl__plan *plan) {
  span *item = icl__alloc((size_t)plan->nodes + (size_t)plan->buckets, sizeof *item);
  if (!item)
    return ICL_ENOMEM;
  icl_status status = write_over_states(plan);
  if (status == ICL_OK && plan->backend->slots)
    take_slots(plan);
  for (int i = 0; i < plan->nodes; i++) {
    plan->node[i]->index = i;
    plan->node[i]->bytes = bytes_of(plan->node[i]);
  }
  if (status == ICL_OK)
    status = lay_out_chunks(plan, item);
  if (status == ICL_OK)
    status = lay_out_blocks(plan, item);
  if (status == ICL_OK)
    status = lay_out_arena(plan, item);
  lay_out_lasting(plan);
  for (int i = 0; i < plan->nodes; i++)
    if (plan->node[i]->scratch > plan->workspace_bytes)
      plan->workspace_bytes = padded(plan->node[i]->scratch); /* that of the next thread begins behind it */
  if (plan->backend->slots)
    note_slots(plan);
  icl__free(item);
  return status;
}
