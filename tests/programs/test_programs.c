/* test_programs.c - random programs, each run in many ways that must agree.
 *
 *   test_programs [--seed N] [--count N] [--seconds S] [--device NAME] [--print]
 *
 * Programs N, N + 1, ... are made and run, each in a process of its own, until there were `count` of them or the time
 * is over. One that fails is made smaller and printed as Lua, with the way that differs. --print shows the program N,
 * --device compares what one device makes of the programs.
 */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATIENCE = 60 }; /* seconds that a program may take */

static verdict *shared;

/* ---- one program, in a child ---- */

typedef struct {
  bool make; /* from the seed; else it is there already */
  bool quiet;
  uint64_t seed;
  int way;
} job;

static void work(const job *j) {
  alarm(PATIENCE);
  if (j->quiet)
    fclose(stderr);
  if (j->make) {
    shared->way = -1;
    generate(&shared->p, j->seed);
  }
  check(shared, j->way);
  exit(0);
}

static void report_end(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return;
  bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  shared->outcome = late ? HUNG : CRASHED;
  shared->instruction = shared->at;
  shared->turn = 0;
  if (WIFSIGNALED(status))
    snprintf(shared->text, sizeof shared->text, "%s", late ? "takes too long" : strsignal(WTERMSIG(status)));
  else
    snprintf(shared->text, sizeof shared->text, "exit code %d", WEXITSTATUS(status));
}

static outcome run_job(const job *j) {
  int status = 0;
  fflush(stdout);
  shared->outcome = SAME;
  pid_t child = fork();
  if (child == 0)
    work(j);
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("fork");
    exit(1);
  }
  report_end(status);
  return shared->outcome;
}

/* ---- failures ---- */

typedef struct {
  outcome outcome;
  int way;
  bool anyhow; /* in whatever way: what damages memory crashes now in one, now in another */
} failure;

static bool fails_likewise(void *context, const program *p) {
  const failure *wanted = context;
  shared->p = *p;
  return run_job(&(job){.quiet = true, .way = wanted->way}) == wanted->outcome &&
         (wanted->anyhow || shared->way == wanted->way);
}

static void report(uint64_t seed) {
  static program smallest;
  failure wanted = {shared->outcome, shared->way, false};
  printf("failed: seed %llu, %s: %s at instruction %d, turn %d\n", (unsigned long long)seed, way_name(shared->way),
         shared->text, shared->instruction + 1, shared->turn + 1);
  smallest = shared->p;
  wanted.anyhow = !fails_likewise(&wanted, &smallest);
  if (!wanted.anyhow || fails_likewise(&wanted, &smallest))
    shrink(&smallest, fails_likewise, &wanted);
  shared->p = smallest;
  run_job(&(job){.way = wanted.way});
  printf("smallest: %s: %s at instruction %d, turn %d\n", way_name(shared->way), shared->text, shared->instruction + 1,
         shared->turn + 1);
  print_program(&smallest);
  fflush(stdout);
}

/* ---- do the programs have every op? ---- */

enum { ENOUGH = 100, MOST_OPS = 512 }; /* programs that should have all of them */

static bool made[MOST_OPS];

static void note_ops(const program *p) {
  for (int i = 0; i < p->count; i++)
    if (p->list[i].kind == DO_APPLY)
      made[p->list[i].op] = true;
}

static bool has_every_op(void) {
  bool every = true;
  for (int i = 0; i < icl_op_count() && i < MOST_OPS; i++) {
    const icl_op *op = icl_op_at(i);
    bool apart = op == icl_op_find("detach") || op == icl_op_find("all_reduce"); /* an instruction; needs a group */
    if (made[i] || icl_op_internal(op) || apart)
      continue;
    printf("failed: no program has the op %s\n", icl_op_name(op));
    every = false;
  }
  return every;
}

/* ---- the program ---- */

static const char *word_behind(int argc, char **argv, const char *name) {
  for (int i = 1; i + 1 < argc; i++)
    if (!strcmp(argv[i], name))
      return argv[i + 1];
  return NULL;
}

/* The number after an option, or `missing`. */
static uint64_t option(int argc, char **argv, const char *name, uint64_t missing) {
  const char *text = word_behind(argc, argv, name);
  return text ? strtoull(text, NULL, 10) : missing;
}

static bool has_flag(int argc, char **argv, const char *name) {
  for (int i = 1; i < argc; i++)
    if (!strcmp(argv[i], name))
      return true;
  return false;
}

int main(int argc, char **argv) {
  uint64_t seed = option(argc, argv, "--seed", 1), seconds = option(argc, argv, "--seconds", 0);
  uint64_t count = option(argc, argv, "--count", seconds ? UINT64_MAX : 250);
  int passed = 0, failed = 0, made_programs = 0;
  long compared = 0, doubtful = 0;
  double start = icl__seconds();
  given_device = word_behind(argc, argv, "--device");
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  if (has_flag(argc, argv, "--print")) {
    generate(&shared->p, seed);
    print_program(&shared->p);
    return 0;
  }
  for (uint64_t i = 0; i < count && (!seconds || icl__seconds() - start < (double)seconds); i++) {
    bool good = run_job(&(job){.make = true, .seed = seed + i, .quiet = true, .way = -1}) == SAME;
    note_ops(&shared->p);
    made_programs++;
    compared += shared->compared;
    doubtful += shared->doubtful;
    passed += good;
    failed += !good;
    if (!good)
      report(seed + i);
  }
  if (made_programs >= ENOUGH) {
    bool every = has_every_op();
    passed += every;
    failed += !every;
  }
  printf("%ld values compared, %ld of them doubtful\n%d passed, %d failed\n", compared, doubtful, passed, failed);
  return failed > 0;
}
