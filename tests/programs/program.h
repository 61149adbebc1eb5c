/* program.h - random programs: what one consists of, and what is done with it.
 *
 * A program is a list of instructions, plain data, so that it can be copied, changed and sent to another process. An
 * instruction names its operands by their places in the list. Instructions between BEGIN and END are a step, which may
 * run for several turns; those outside of one run once. What a program shows is its trace: every value that it reads or
 * keeps, every state after each step, every refusal. The same program must leave the same trace however it is run. */
#ifndef ICL_TESTS_PROGRAM_H
#define ICL_TESTS_PROGRAM_H

#include "icl.h"

enum { MOST_INSTRUCTIONS = 160, MOST_ELEMENTS = 1 << 15, MOST_TURNS = 3 };

/* name, does it give a value */
#define KIND_TABLE(X)                                                                                                  \
  X(CONSTANT, true)                                                                                                    \
  X(NUMBER, true)                                                                                                      \
  X(APPLY, true)                                                                                                       \
  X(DETACH, true)                                                                                                      \
  X(CUSTOM, true)     /* in[0] with a gradient function of its own for in[1..] */                                      \
  X(READ, true)       /* the current version of a state */                                                             \
  X(SLOT, true)       /* what backward calls left for a state */                                                       \
  X(DERIVATIVE, true) /* of the loss in[0] by in[1] */                                                                 \
  X(STATE, false)                                                                                                      \
  X(WRITE, false) /* of in[0], with the predicate in[1] if there is one */                                             \
  X(CLEAR, false) /* of a state's gradients */                                                                         \
  X(FREEZE, false)                                                                                                     \
  X(BACKWARD, false)                                                                                                   \
  X(KEEP, false)                                                                                                       \
  X(LOOK, false) /* reads in[0] at once */                                                                             \
  X(BEGIN, false)                                                                                                      \
  X(END, false)

typedef enum {
#define X(name, value) DO_##name,
  KIND_TABLE(X)
#undef X
      KINDS
} instruction_kind;

/* What the elements of constants and states are. The argument is `most`. */
typedef enum {
  SIGNED,       /* away from 0, up to 2 */
  POSITIVE,     /* 0.5 to 2 */
  WEIGHTS,      /* up to 0.5 on both sides of 0 */
  INTEGERS,     /* 0 to most - 1 */
  PERMUTATION,  /* of 0 to the number of elements - 1 */
  DISTRIBUTION, /* rows that sum to 1 */
  KEY,          /* words of a random key */
  EXACTLY       /* all of them `number` */
} values_kind;

typedef struct {
  instruction_kind kind;
  int op; /* APPLY: place in the registry */
  int inputs, in[ICL_MAX_INPUTS];
  icl_attributes attr;
  int state; /* place of the STATE */
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  values_kind values;
  uint32_t seed, most;
  double number;
  bool flag;   /* CONSTANT: gradients are asked for; STATE: trainable; FREEZE: on; APPLY: recorded without gradient */
  bool varies; /* CONSTANT: another value in each turn */
  int turns;   /* BEGIN */
} instruction;

typedef struct {
  int count;
  instruction list[MOST_INSTRUCTIONS];
} program;

bool gives_value(instruction_kind kind);
/* Element k of a CONSTANT or STATE in a turn, rounded to its dtype. */
double element_of(const instruction *i, int turn, int64_t k);
int64_t count_of(const instruction *i);
/* Does the op give numbers of batch norm, whose gradients are packed in another shape? No op but those of batch norm
 * can be applied to them and have a gradient. */
bool is_packed(const char *op);
/* The END of the BEGIN at `begin`. */
int end_of(const program *p, int begin);

/* ---- generate.c ---- */

void generate(program *p, uint64_t seed);

/* ---- run.c ---- */

typedef enum { SEEN_VALUE, SEEN_NOTHING, SEEN_ERROR } sight_kind;

typedef struct {
  sight_kind kind;
  icl_status status;
  int instruction, turn;
  int64_t count;
  double *values;
  char message[200];
} sight;

typedef struct {
  int count, capacity;
  sight *list;
} trace;

typedef struct {
  const program *p;
  icl_engine *engine;
  icl_tensor *value[MOST_INSTRUCTIONS];
  icl_state *state[MOST_INSTRUCTIONS];
  int turn;
  double noise; /* each computed value is disturbed by so many times its rounding; 0: none. Needs an eager engine */
  uint32_t noise_seed;
  bool turned;  /* what jumps takes the other side where rounding decides. Needs an eager engine */
  bool stopped; /* a step could not be evaluated */
  trace *seen;
  volatile int *at; /* where the instruction that runs is noted */
} run;

void run_open(run *r, const program *p, const icl_config *config);
/* Does one instruction. What it refuses is noted in the trace, and what needs its result is left out. */
void run_instruction(run *r, int i);
void run_program(run *r);
void run_close(run *r);
void trace_free(trace *t);
/* Ends the process if `status` is an error that no program can cause. */
void must(icl_status status);
/* Zeros; ends the process if there is no memory. */
void *allocate(size_t count, size_t bytes);

/* ---- noise.c ---- */

/* Changes what the APPLY `c` gave for these operands as r->noise and r->turned say. */
void disturb(run *r, const instruction *c, icl_tensor **in, icl_tensor **value);

/* ---- check.c ---- */

enum { MOST_WAYS = 32 };
typedef enum { SAME, DIFFERENT, CRASHED, HUNG } outcome;

/* In memory that is shared with the process that runs the program. */
typedef struct {
  program p;
  volatile int way, at; /* what is being done */
  outcome outcome;
  int instruction, turn;
  int compared, doubtful; /* values, and those of them that rounding alone may change */
  char text[400];
} verdict;

/* The one device that programs run on; NULL: the CPU, in many ways. */
extern const char *given_device;
const char *way_name(int way);
/* Runs v->p in the given way and as the reference, or, if `way` is negative, in every way. */
void check(verdict *v, int way);

/* ---- shrink.c ---- */

/* Runs a candidate; does it still fail in the same way? */
typedef bool (*still_fails_fn)(void *context, const program *p);
void shrink(program *p, still_fails_fn still_fails, void *context);

/* ---- print.c ---- */

/* As Lua for the prompt. */
void print_program(const program *p);

#endif
