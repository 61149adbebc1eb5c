/* stages.h - the stages that make a plan, in their order, and what they share. */
#ifndef ICL_PLAN_STAGES_H
#define ICL_PLAN_STAGES_H

#include "plan/plan.h"

icl_status icl__plan_domains(icl__plan *plan);           /* domains.c */
icl_status icl__plan_rewrite(icl__plan *plan);           /* rewrite.c */
icl_status icl__plan_statistics(icl__plan *plan);        /* statistics.c, as a part of rewriting */
void icl__plan_residual(icl__plan *plan);                /* residual.c */
icl_status icl__plan_dense(icl__plan *plan);             /* dense.c */
icl_status icl__plan_finishes(icl__plan *plan);          /* finishes.c */
void icl__plan_slack(icl__plan *plan);                   /* schedule.c */
icl_status icl__plan_buckets(icl__plan *plan);           /* buckets.c */
icl_status icl__plan_cuts(icl__plan *plan);              /* cuts.c */
icl_status icl__plan_schedule(icl__plan *plan);          /* schedule.c */
icl_status icl__plan_sink(icl__plan *plan, bool *moved); /* sink.c, as a part of scheduling */
icl_status icl__plan_keep_or_recompute(icl__plan *plan); /* recompute.c */
icl_status icl__plan_instructions(icl__plan *plan);      /* instructions.c */
void icl__plan_share(icl__plan *plan);                   /* share.c */
icl_status icl__plan_lasting(icl__plan *plan);           /* lasting.c */
void icl__plan_chains(icl__plan *plan);                  /* chains.c */
icl_status icl__plan_sections(icl__plan *plan);          /* sections.c */
icl_status icl__plan_storage(icl__plan *plan);           /* storage.c */

/* ---- edit.c ---- */

icl_status icl__plan_append(icl__plan *plan, icl__pnode **result); /* a fresh node at the end */
/* Drops dead nodes and restores a topological order: the recorded one, with made nodes just before their first user.
 * Then finds the users of every node. */
icl_status icl__plan_tidy(icl__plan *plan);
icl_status icl__plan_uses(icl__plan *plan);
icl_status icl__plan_add_use(icl__pnode *v, icl__pnode *user);
void icl__pnode_free(icl__pnode *v);

/* ---- what one stage asks another ---- */

bool icl__plan_delay_buckets(icl__plan *plan); /* buckets.c: brings all_reduces behind the start of their buckets */
void icl__plan_time_buckets(icl__plan *plan);  /* buckets.c: when they start, and when they must be there */
void icl__plan_fill_buckets(icl__plan *plan);  /* buckets.c: which values lie in them */

void icl__plan_rule(icl__pnode *v); /* domains.c: the op's batch rule */
/* rewrite.c: relu(scale_shift(x, c, ...)) -> scale_shift(x, c, ...) with relu */
void icl__plan_join_relu(icl__plan *plan, icl__pnode *v);
bool icl__plan_can_recompute(const icl__plan *plan, const icl__pnode *v, int phase); /* recompute.c */
bool icl__plan_is_part(const icl__plan *plan,
                       const icl__pnode *v);          /* share.c: part of a concatenation, can be a view */
bool icl__plan_has_few_images(const icl__plan *plan); /* lasting.c: so few that prepared weights last */
int icl__plan_made_at(const icl__pnode *v);           /* share.c: the time of a value's making */
/* share.c: the place of v, alone in it if that is scratch of a chunk, stays as it is until `time` at least. */
void icl__plan_keep_until(icl__pnode *v, int time);
bool icl__plan_joins_channels(const icl__pnode *v); /* statistics.c: a concatenation of images along their channels */
/* statistics.c: `length` channels, from `first` on, of a value of each channel. NULL when memory is out. */
icl__pnode *icl__plan_channels(icl__plan *plan, icl__pnode *values, int32_t first, int32_t length);

#endif
