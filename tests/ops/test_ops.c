/* test_ops.c - runs the cases of cases.def; ops_test.h tells how. */
#include "ops_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/families.h"
#include "ops/ops.h"

/* An op that takes longer than this many seconds hangs. */
enum { TIME_LIMIT = 300 };

enum { COMPARE = 1, GRADIENT = 2, COMPLETE = 4, TIMING = 8 };
static const struct {
  const char *name;
  unsigned mode;
} modes[] = {{"compare", COMPARE}, {"grad", GRADIENT}, {"complete", COMPLETE}, {"time", TIMING}};
enum { MODES = sizeof modes / sizeof *modes };

static struct { int passed, failed, skipped; } * counts; /* shared with the processes of the ops */
static bool with_f16;

const char *test_device;

static void count_outcome(test_outcome outcome) {
  int *counter = outcome == TEST_PASSED ? &counts->passed : outcome == TEST_FAILED ? &counts->failed : &counts->skipped;
  __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static void count(bool passed) { count_outcome(passed ? TEST_PASSED : TEST_FAILED); }

/* ---- an op in a process of its own ---- */

static void run_case(const test_case *row, unsigned mode) {
  if (row->flags & TIME) {
    if (mode & TIMING) {
      count(time_case(row, ICL_F32));
      if (row->flags & HALF)
        count(time_case(row, ICL_BF16));
    }
    return;
  }
  if (mode & COMPARE) {
    count_outcome(compare_case(row, ICL_F32));
    if (row->flags & HALF)
      count_outcome(compare_case(row, ICL_BF16));
    if (row->flags & HALF && with_f16)
      count_outcome(compare_case(row, ICL_F16));
    if (row->flags & HALF && test_device)
      count_outcome(compare_case(row, ICL_F64));
  }
  if (mode & GRADIENT) {
    if (row->flags & GRAD)
      count(check_gradient(row, 1));
    if (row->flags & SECOND)
      count(check_gradient(row, 2));
  }
}

static void run_op(const char *op, unsigned mode) {
  for (int i = 0; i < test_case_count; i++)
    if (!strcmp(test_cases[i].op, op))
      run_case(&test_cases[i], mode);
}

enum { MOST_JOBS = 64 };
static struct {
  pid_t child;
  const char *op;
} running[MOST_JOBS];

/* Takes the end of one of the processes. */
static void wait_for_one(void) {
  int status = 0, i = 0;
  pid_t child = wait(&status);
  while (i < MOST_JOBS && running[i].child != child)
    i++;
  if (child < 0 || i == MOST_JOBS) {
    perror("wait");
    exit(2);
  }
  running[i].child = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return;
  printf("failed: %s: %s\n", running[i].op, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "its process failed");
  count(false);
}

/* Starts a process for an op once fewer than `jobs` of them run. It leaves through exit, so that a leak checker has its
 * say. */
static void run_apart(const char *op, unsigned mode, int jobs) {
  int i = 0;
  while (i < jobs && running[i].child)
    i++;
  if (i == jobs) {
    wait_for_one();
    run_apart(op, mode, jobs);
    return;
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    alarm(TIME_LIMIT);
    run_op(op, mode);
    compare_end();
    exit(0);
  }
  if (child < 0) {
    perror("fork");
    count(false);
  }
  running[i].child = child > 0 ? child : 0;
  running[i].op = op;
}

static void wait_for_all(void) {
  for (int i = 0; i < MOST_JOBS; i++)
    while (running[i].child)
      wait_for_one();
}

/* ---- completeness ---- */

static bool is_covered(const icl_op *op, unsigned flag) {
  for (int i = 0; i < test_case_count; i++) {
    const test_case *row = &test_cases[i];
    const test_chain *chain = chain_find(row->op);
    bool names = !strcmp(row->op, op->name) || (flag == GRAD && chain && chain_covers(chain, op->name));
    if (names && !(row->flags & TIME) && (row->flags & flag) == flag)
      return true;
  }
  return false;
}

static void check_complete(void) {
  for (int id = 0; id < ICL__OP_COUNT; id++) {
    const icl_op *op = icl__op(id);
    if (op->flags & (ICL__LEAF | ICL__ALIAS) || id == ICL__OP_all_reduce) /* nothing is computed here */
      continue;
    bool compared = is_covered(op, 0), checked = !op->grad || op->grad == icl__grad_once || is_covered(op, GRAD);
    if (!compared)
      printf("failed: %s has no case in cases.def\n", op->name);
    if (!checked)
      printf("failed: %s is differentiable, but no case checks its gradient\n", op->name);
    count(compared && checked);
  }
}

/* ---- the program ---- */

typedef struct {
  unsigned mode;
  int jobs; /* processes at a time; 0: everything in this one */
  int ops;
  char **op;
} options;

static bool is_case(const char *op) {
  for (int i = 0; i < test_case_count; i++)
    if (!strcmp(test_cases[i].op, op))
      return true;
  return false;
}

static bool parse_arguments(int argc, char **argv, options *o) {
  for (int i = 1; i < argc; i++) {
    unsigned mode = 0;
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    for (int k = 0; k < MODES; k++)
      if (!strcmp(argv[i], modes[k].name))
        mode = modes[k].mode;
    if (mode)
      o->mode |= mode;
    else if (!strcmp(argv[i], "--no-fork"))
      o->jobs = 0;
    else if (!strcmp(argv[i], "--f16"))
      with_f16 = true;
    else if (value && !strcmp(argv[i], "--device"))
      test_device = argv[++i];
    else if (value && !strcmp(argv[i], "--jobs") && atoi(value) > 0)
      o->jobs = atoi(argv[++i]) < MOST_JOBS ? atoi(value) : MOST_JOBS;
    else if (is_case(argv[i]))
      o->op[o->ops++] = argv[i];
    else
      return false;
  }
  if (!o->mode)
    o->mode = test_device ? COMPARE : COMPARE | GRADIENT | (o->ops ? 0 : COMPLETE);
  return true;
}

static bool is_chosen(const options *o, int index) {
  const char *op = test_cases[index].op;
  for (int i = 0; i < index; i++)
    if (!strcmp(test_cases[i].op, op)) /* its cases run together */
      return false;
  for (int i = 0; i < o->ops; i++)
    if (!strcmp(o->op[i], op))
      return true;
  return o->ops == 0;
}

int main(int argc, char **argv) {
  options o = {.jobs = 1, .op = argv};
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED || !parse_arguments(argc, argv, &o)) {
    fprintf(stderr,
            "usage: test_ops [compare|grad|complete|time] [OP...] [--device NAME [--f16]] [--jobs N|--no-fork]\n");
    return 2;
  }
  for (int i = 0; i < test_case_count; i++)
    if ((o.mode & ~(unsigned)COMPLETE) && is_chosen(&o, i)) {
      if (o.jobs)
        run_apart(test_cases[i].op, o.mode, o.jobs);
      else
        run_op(test_cases[i].op, o.mode);
    }
  wait_for_all();
  compare_end();
  if (o.mode & COMPLETE)
    check_complete();
  printf("%d passed, %d failed, %d skipped\n", counts->passed, counts->failed, counts->skipped);
  return counts->failed > 0 || counts->passed == 0;
}
