/* number.h - numbers as text, with a point in every locale: a program that this library is part of may have set one
 * that writes a comma. */
#ifndef ICL_BASE_NUMBER_H
#define ICL_BASE_NUMBER_H

#include <stdarg.h>
#include <stddef.h>

#include "base/format.h"

/* As vsnprintf and snprintf. */
int icl__vprint(char *text, size_t size, const char *format, va_list arguments);
int icl__print(char *text, size_t size, const char *format, ...) ICL__PRINTF(3, 4);

/* The number at the beginning of a text; 0 if there is none. */
double icl__read_number(const char *text);

#endif
