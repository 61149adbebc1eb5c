/* share.c - how long values live, and which of them lie in one place.
 *
 * An elementwise result takes over the storage of an input that dies there. A concatenation along the last axis extends
 * its first input: both begin in the same place, whose rows are as long as the widest needs, and only the other inputs
 * are copied. A part of a concatenation, as gradients need it, is a view. All that share a place name one of them, the
 * root, whose lifetime covers theirs. */
#include "plan/stages.h"

/* ---- lifetimes ---- */

int icl__plan_made_at(const icl__pnode *v) { return icl__plan_runs_in_phase(v) ? 2 * v->phase : 2 * v->phase + 1; }

/* Sets the time of the last use, its position if that is in a phase, and when the value is read whole. */
static void find_last(icl__pnode *v) {
  v->last = icl__plan_made_at(v);
  for (int i = 0; i < v->uses; i++) {
    const icl__pnode *u = v->use[i];
    int t = icl__plan_made_at(u);
    v->last = t > v->last ? t : v->last;
    for (int j = 0; j < u->inputs; j++)
      if (u->in[j] == v && icl__plan_runs_in_phase(u) && !icl__plan_reads_images(u, j) && u->phase > v->whole)
        v->whole = u->phase;
  }
  v->last_place = v->last == icl__plan_made_at(v) ? v->place : 0;
  for (int i = 0; i < v->uses; i++) {
    const icl__pnode *u = v->use[i];
    if (icl__plan_runs_in_phase(u) && icl__plan_made_at(u) == v->last && u->place > v->last_place)
      v->last_place = u->place;
  }
}

static icl__store store_of(const icl__pnode *v) {
  if (v->leaf >= 0)
    return ICL__STORE_LEAF;
  if (v->output >= 0)
    return ICL__STORE_OUTPUT;
  if (v->behaviour == ICL__REDUCE)
    return ICL__STORE_PARTIAL;
  if (v->behaviour == ICL__GLOBAL)
    return ICL__STORE_SHARED;
  return v->last > icl__plan_made_at(v) ? ICL__STORE_BATCH : ICL__STORE_CHUNK;
}

/* ---- roots ---- */

void icl__plan_keep_until(icl__pnode *v, int time) {
  icl__pnode *root = icl__plan_root(v);
  if (time <= root->last)
    return;
  root->last = time;
  if (root->store == ICL__STORE_CHUNK)
    root->store = ICL__STORE_BATCH;
}

static int32_t columns(const icl__pnode *v) { return v->shape[v->rank - 1]; }

/* Does something that makes or reads v need its rows one after another? */
static bool is_rigid(const icl__plan *plan, icl__pnode *v) {
  bool (*takes)(void *, const icl__pnode *, int) = plan->backend->takes_pitch;
  if (!takes)
    return false;
  if (!takes(plan->device, v, -1))
    return true;
  for (int i = 0; i < v->uses; i++)
    for (int j = 0; j < v->use[i]->inputs; j++)
      if (v->use[i]->in[j] == v && !takes(plan->device, v->use[i], j))
        return true;
  return false;
}

/* Puts v into the place of `root`, from column `column` of its rows on. */
static void join(icl__pnode *v, icl__pnode *root, int32_t column) {
  v->same = root;
  v->column = column;
  root->rigid |= v->rigid;
  root->whole = v->whole > root->whole ? v->whole : root->whole;
  if (v->last > root->last) {
    root->last = v->last;
    root->last_place = v->last_place;
  } else if (v->last == root->last && v->last_place > root->last_place) {
    root->last_place = v->last_place;
  }
}

static bool is_scratch_or_kept(const icl__pnode *v) {
  return v->store == ICL__STORE_CHUNK || v->store == ICL__STORE_BATCH;
}

/* Is the place of `root` there, in the same kind of memory, when v is made? */
static bool is_there(const icl__pnode *root, const icl__pnode *v) {
  return root->store == v->store && (root->store != ICL__STORE_CHUNK || root->phase == v->phase);
}

/* ---- in place ---- */

/* Does v read storage that it would write in the place of its input u, but for the same elements? Parts of a gradient
 * may overlap, and a column may be repeated along the concatenation that it is part of. */
static bool reads_askew(const icl__pnode *v, const icl__pnode *u) {
  for (int i = 0; i < v->inputs; i++) {
    const icl__pnode *w = v->in[i];
    bool apart = icl__plan_root(w) != icl__plan_root(u) || w->column >= u->column + columns(u) ||
                 u->column >= w->column + columns(w);
    if (!apart && (w->column != u->column || !icl__plan_same_shape(w, u)))
      return true;
  }
  return false;
}

/* May v take over the storage of its input u, which dies with this use? Only if every byte of it is read image by image
 * by all its users of this phase: an op that reads it whole may still be at work on another thread, or on the next
 * chunk, when v writes the images of this one. */
static bool may_take_over(const icl__pnode *v, icl__pnode *u) {
  const icl__pnode *root = icl__plan_root(u);
  if (!is_there(root, v) || !is_scratch_or_kept(u) || !icl__plan_same_shape(u, v) || u->stored != v->stored)
    return false;
  if ((v->rigid && icl__plan_pitch(u) != columns(v)) || reads_askew(v, u))
    return false;
  return root->last == 2 * v->phase && root->last_place == v->place && root->whole < v->phase;
}

static void take_over(icl__plan *plan, icl__pnode *v) {
  if (!icl__plan_elementwise(v) || !v->rank)
    return;
  for (int i = v->inputs - 1; i >= 0; i--) {
    icl__pnode *u = v->in[i];
    if (!icl__plan_reads_images(v, i) || !may_take_over(v, u))
      continue;
    join(v, icl__plan_root(u), u->column);
    plan->placed_over++;
    return;
  }
}

/* ---- concatenations and their parts ---- */

/* concat(u, ...) begins where u lies, if nothing else lies behind u in its rows yet. */
static bool extend(icl__pnode *v) {
  icl__pnode *u = v->in[0], *root = icl__plan_root(u);
  if (v->rank < 2 || v->attr.i[CONCAT_DIM] != v->rank - 1 || v->rigid || u->stored != v->stored)
    return false;
  if (!is_there(root, v) || !is_scratch_or_kept(u) || root->rigid || u->column || icl__plan_pitch(u) != columns(u))
    return false;
  root->width = columns(v);
  join(v, root, 0);
  return true;
}

bool icl__plan_is_part(const icl__plan *plan, const icl__pnode *v) {
  return plan->policy.concat && v->op == ICL__OP_concat_part && v->behaviour == ICL__MAP && v->output < 0 &&
         v->rank >= 2 && v->attr.i[PART_DIM] == v->rank - 1 && v->in[0]->leaf < 0 && v->in[0]->output < 0;
}

static void show(icl__pnode *v) {
  icl__pnode *u = v->in[0], *root = icl__plan_root(u);
  bool lives = root->store == ICL__STORE_BATCH || (root->store == ICL__STORE_CHUNK && v->store == ICL__STORE_CHUNK);
  if (v->rigid || !lives)
    return;
  v->store = root->store;
  v->view = true;
  join(v, root, u->column + v->attr.i[PART_FIRST]);
}

/* In the order of time: what was decided for earlier values is what later ones meet. */
void icl__plan_share(icl__plan *plan) {
  for (int i = 0; i < plan->nodes; i++)
    find_last(plan->node[i]);
  for (int i = 0; i < plan->nodes; i++) {
    icl__pnode *v = plan->node[i];
    v->store = store_of(v);
    v->rigid = is_scratch_or_kept(v) && is_rigid(plan, v);
  }
  for (int p = 1; p <= plan->phases; p++)
    for (int i = 0; i < plan->phase[p].instructions; i++) {
      icl__pnode *v = plan->phase[p].instruction[i];
      if (!is_scratch_or_kept(v))
        continue;
      if (icl__plan_is_part(plan, v))
        show(v);
      else if (plan->policy.concat && v->op == ICL__OP_concat && extend(v))
        plan->placed_over++;
      else if (plan->policy.inplace)
        take_over(plan, v);
    }
}
