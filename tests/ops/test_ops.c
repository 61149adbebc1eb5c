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

static struct { int passed, failed; } * counts; /* shared with the processes of the ops */

static void count(bool passed) {
  if (passed)
    counts->passed++;
  else
    counts->failed++;
}

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
    count(compare_case(row, ICL_F32));
    if (row->flags & HALF)
      count(compare_case(row, ICL_BF16));
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

/* Leaves through exit, so that a leak checker has its say. */
static void run_apart(const char *op, unsigned mode) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    alarm(TIME_LIMIT);
    run_op(op, mode);
    exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("fork");
    count(false);
  } else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
    printf("failed: %s: %s\n", op, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "its process failed");
    count(false);
  }
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
    if (op->flags & (ICL__LEAF | ICL__ALIAS)) /* nothing is computed */
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
  bool apart;
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
    for (int k = 0; k < MODES; k++)
      if (!strcmp(argv[i], modes[k].name))
        mode = modes[k].mode;
    if (mode)
      o->mode |= mode;
    else if (!strcmp(argv[i], "--no-fork"))
      o->apart = false;
    else if (is_case(argv[i]))
      o->op[o->ops++] = argv[i];
    else
      return false;
  }
  if (!o->mode)
    o->mode = COMPARE | GRADIENT | (o->ops ? 0 : COMPLETE);
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
  options o = {.apart = true, .op = argv};
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED || !parse_arguments(argc, argv, &o)) {
    fprintf(stderr, "usage: test_ops [compare|grad|complete|time] [OP...] [--no-fork]\n");
    return 2;
  }
  for (int i = 0; i < test_case_count; i++)
    if ((o.mode & ~(unsigned)COMPLETE) && is_chosen(&o, i)) {
      if (o.apart)
        run_apart(test_cases[i].op, o.mode);
      else
        run_op(test_cases[i].op, o.mode);
    }
  if (o.mode & COMPLETE)
    check_complete();
  printf("%d passed, %d failed\n", counts->passed, counts->failed);
  return counts->failed > 0 || counts->passed == 0;
}
