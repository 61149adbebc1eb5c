/* unit.h - a small harness for unit tests in C.
 *
 * A file tests/unit/test_NAME.c holds tests and no main:
 *
 *   #include "unit.h"
 *
 *   TEST(philox_counts_on) {
 *     CHECK_EQ(next(1), 2);
 *   }
 *
 * Every test runs in a process of its own, so a crash fails one test only. The first check that fails says where,
 * prints the expressions with their values, and ends its test.
 *
 * The program takes names of tests to run (all by default), `--list`, and `--no-fork` for a debugger. It prints one
 * line for each failing test and closes with `N passed, N failed`. */
#ifndef ICL_TESTS_UNIT_H
#define ICL_TESTS_UNIT_H

#include "icl.h"

#include <stdbool.h>
#include <stdint.h>

/* A test, put into the list of the program before main starts. */
#define TEST(name)                                                                                                     \
  static void name(void);                                                                                              \
  __attribute__((constructor)) static void register_##name(void) {                                                     \
    static unit_test test = {#name, name, 0};                                                                          \
    unit_register(&test);                                                                                              \
  }                                                                                                                    \
  static void name(void)

/* `condition` holds. */
#define CHECK(condition) ((condition) ? (void)0 : unit_fail(__FILE__, __LINE__, "%s does not hold", #condition))

/* Two numbers of any type, booleans or pointers are equal. */
#define CHECK_EQ(a, b) unit_check_equal(__FILE__, __LINE__, #a, UNIT_VALUE(a), #b, UNIT_VALUE(b))

/* Two strings are equal; NULL equals NULL only. */
#define CHECK_STR(a, b) unit_check_string(__FILE__, __LINE__, #a, (a), #b, (b))

/* `text` contains `part`. */
#define CHECK_CONTAINS(text, part) unit_check_contains(__FILE__, __LINE__, #text, (text), (part))

/* Two numbers differ by at most `tolerance`; a NaN never does. */
#define CHECK_NEAR(a, b, tolerance)                                                                                    \
  unit_check_near(__FILE__, __LINE__, #a, (double)(a), #b, (double)(b), (double)(tolerance))

/* A call succeeds; otherwise its status and icl_message() are printed. */
#define CHECK_OK(call) unit_check_status(__FILE__, __LINE__, #call, (call), ICL_OK, 0)

/* A call fails with this status, and icl_message() contains `part`. */
#define CHECK_ERROR(call, status, part) unit_check_status(__FILE__, __LINE__, #call, (call), (status), (part))

/* ---- behind the macros ---- */

typedef struct unit_test {
  const char *name;
  void (*function)(void);
  struct unit_test *next;
} unit_test;

typedef struct {
  enum { UNIT_SIGNED, UNIT_UNSIGNED, UNIT_REAL, UNIT_POINTER } kind;
  union {
    intmax_t i;
    uintmax_t u;
    double d;
    const void *p;
  };
} unit_value;

/* clang-format off */
#define UNIT_VALUE(x) _Generic((x), \
  bool: unit_unsigned, unsigned char: unit_unsigned, unsigned short: unit_unsigned, unsigned: unit_unsigned, \
  unsigned long: unit_unsigned, unsigned long long: unit_unsigned, \
  char: unit_signed, signed char: unit_signed, short: unit_signed, int: unit_signed, long: unit_signed, \
  long long: unit_signed, \
  float: unit_float, double: unit_double, default: unit_pointer)(x)
/* clang-format on */

unit_value unit_signed(intmax_t i);
unit_value unit_unsigned(uintmax_t u);
unit_value unit_float(float f);
unit_value unit_double(double d);
unit_value unit_pointer(const void *p);

void unit_register(unit_test *test);
void unit_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));
void unit_check_equal(const char *file, int line, const char *a_text, unit_value a, const char *b_text, unit_value b);
void unit_check_string(const char *file, int line, const char *a_text, const char *a, const char *b_text,
                       const char *b);
void unit_check_contains(const char *file, int line, const char *text_text, const char *text, const char *part);
void unit_check_near(const char *file, int line, const char *a_text, double a, const char *b_text, double b,
                     double tolerance);
void unit_check_status(const char *file, int line, const char *call, icl_status status, icl_status expected,
                       const char *part);

#endif
