/* unit.c - the harness of the unit tests: values, checks, and the program that runs the tests. */
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A test that takes longer than this many seconds hangs. */
enum { TIME_LIMIT = 300 };

static unit_test *first, **last = &first;

void unit_register(unit_test *test) {
  *last = test;
  last = &test->next;
}

/* ---- values ---- */

unit_value unit_signed(intmax_t i) { return (unit_value){.kind = UNIT_SIGNED, .i = i}; }
unit_value unit_unsigned(uintmax_t u) { return (unit_value){.kind = UNIT_UNSIGNED, .u = u}; }
unit_value unit_float(float f) { return unit_double((double)f); }
unit_value unit_double(double d) { return (unit_value){.kind = UNIT_REAL, .d = d}; }
unit_value unit_pointer(const void *p) { return (unit_value){.kind = UNIT_POINTER, .p = p}; }

static double as_real(unit_value v) {
  return v.kind == UNIT_REAL ? v.d : v.kind == UNIT_SIGNED ? (double)v.i : (double)v.u;
}

/* Equal as numbers: -1 is not the largest unsigned number, and a literal 0 stands for the null pointer. */
static bool equal(unit_value a, unit_value b) {
  if (a.kind == UNIT_REAL || b.kind == UNIT_REAL)
    return a.kind != UNIT_POINTER && b.kind != UNIT_POINTER && as_real(a) == as_real(b);
  bool negative = (a.kind == UNIT_SIGNED && a.i < 0) || (b.kind == UNIT_SIGNED && b.i < 0);
  if (negative && a.kind != b.kind)
    return false;
  uintmax_t x = a.kind == UNIT_POINTER ? (uintptr_t)a.p : a.u;
  uintmax_t y = b.kind == UNIT_POINTER ? (uintptr_t)b.p : b.u;
  return x == y;
}

static const char *show(unit_value v, char text[static 64]) {
  switch (v.kind) {
  case UNIT_SIGNED:
    snprintf(text, 64, "%" PRIdMAX, v.i);
    break;
  case UNIT_UNSIGNED:
    snprintf(text, 64, "%" PRIuMAX, v.u);
    break;
  case UNIT_REAL:
    snprintf(text, 64, "%.17g", v.d);
    break;
  case UNIT_POINTER:
    snprintf(text, 64, "%p", v.p);
    break;
  }
  return text;
}

/* ---- checks ---- */

void unit_fail(const char *file, int line, const char *format, ...) {
  va_list arguments;
  fprintf(stderr, "%s:%d: ", file, line);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  fflush(NULL);
  _exit(1);
}

void unit_check_equal(const char *file, int line, const char *a_text, unit_value a, const char *b_text, unit_value b) {
  char a_value[64], b_value[64];
  if (!equal(a, b))
    unit_fail(file, line, "%s is %s, but %s is %s", a_text, show(a, a_value), b_text, show(b, b_value));
}

void unit_check_string(const char *file, int line, const char *a_text, const char *a, const char *b_text,
                       const char *b) {
  if (a == b || (a && b && strcmp(a, b) == 0))
    return;
  unit_fail(file, line, "%s is \"%s\", but %s is \"%s\"", a_text, a ? a : "(null)", b_text, b ? b : "(null)");
}

void unit_check_contains(const char *file, int line, const char *text_text, const char *text, const char *part) {
  if (!text || !strstr(text, part))
    unit_fail(file, line, "%s is \"%s\", without \"%s\"", text_text, text ? text : "(null)", part);
}

void unit_check_near(const char *file, int line, const char *a_text, double a, const char *b_text, double b,
                     double tolerance) {
  if (!(fabs(a - b) <= tolerance))
    unit_fail(file, line, "%s is %.17g, but %s is %.17g: they differ by %.3g, more than %.3g", a_text, a, b_text, b,
              fabs(a - b), tolerance);
}

void unit_check_status(const char *file, int line, const char *call, icl_status status, icl_status expected,
                       const char *part) {
  if (status != expected)
    unit_fail(file, line, "%s returned %s instead of %s: %s", call, icl_status_name(status), icl_status_name(expected),
              status == ICL_OK ? "no message" : icl_message());
  if (part && !strstr(icl_message(), part))
    unit_fail(file, line, "the message of %s is \"%s\", without \"%s\"", call, icl_message(), part);
}

/* ---- the program ---- */

/* Runs a test in a process of its own and tells whether it passed. The child leaves through exit, so that a leak
 * checker has its say. */
static bool run_apart(const unit_test *test) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    alarm(TIME_LIMIT);
    test->function();
    exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("fork");
    return false;
  }
  if (WIFSIGNALED(status))
    fprintf(stderr, "%s: %s\n", test->name, strsignal(WTERMSIG(status)));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_chosen(const unit_test *test, int argc, char **argv) {
  bool named = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], test->name) == 0)
      return true;
    named = named || argv[i][0] != '-';
  }
  return !named;
}

static bool has_option(const char *option, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], option) == 0)
      return true;
  return false;
}

int main(int argc, char **argv) {
  bool list = has_option("--list", argc, argv), here = has_option("--no-fork", argc, argv);
  int passed = 0, failed = 0;
  for (const unit_test *test = first; test; test = test->next) {
    if (!is_chosen(test, argc, argv))
      continue;
    if (list) {
      puts(test->name);
    } else if (here) {
      test->function();
      passed++;
    } else if (run_apart(test)) {
      passed++;
    } else {
      printf("failed: %s\n", test->name);
      failed++;
    }
  }
  if (list)
    return 0;
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}
