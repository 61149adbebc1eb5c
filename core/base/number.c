/* number.c - see number.h. */
#include "base/number.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* The locale "C", made once; 0 if it cannot be made, which leaves a thread's locale as it is. */
static locale_t plain;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* Gives the thread that locale; -> the one it had. */
static locale_t enter_plain(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_plain);
  return uselocale(plain);
}

int icl__vprint(char *text, size_t size, const char *format, va_list arguments) {
  locale_t before = enter_plain();
  int length = vsnprintf(text, size, format, arguments);
  uselocale(before);
  return length;
}

int icl__print(char *text, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = icl__vprint(text, size, format, arguments);
  va_end(arguments);
  return length;
}

double icl__read_number(const char *text) {
  locale_t before = enter_plain();
  double number = strtod(text, NULL);
  uselocale(before);
  return number;
}
