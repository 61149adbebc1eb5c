/* send.h - what a run sends to the other ranks of a group: buckets of the plan. */
#ifndef ICL_BACKEND_CPU_SEND_H
#define ICL_BACKEND_CPU_SEND_H

#include "backend/cpu/replay.h"

/* The first thread alone, at the beginning of a phase and at its end: sends what is due then, waits for what must be
 * there. */
icl_status icl__cpu_send(icl__cpu_worker *w, int phase);
icl_status icl__cpu_await(icl__cpu_worker *w, int phase);

/* Makes the value of an all_reduce of what is there. */
void icl__cpu_receive(const icl__cpu_worker *w, const icl__pnode *v);

/* After an error: tells the other ranks of it, and takes back what is still on its way. Returns the error. */
icl_status icl__cpu_give_up(icl__cpu_program *program, const icl__bindings *bindings, icl_status status);

/* Seconds that sending has taken so far; 0 where no profile is kept. */
double icl__cpu_busy(const icl__cpu_program *program, const icl__bindings *bindings);

#endif
