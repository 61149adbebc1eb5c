/* format.h - lets the compiler check arguments against their format. */
#ifndef ICL_BASE_FORMAT_H
#define ICL_BASE_FORMAT_H

/* The format is argument `text`; what it prints begins with argument `first`. */
#if defined(__GNUC__)
#define ICL__PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define ICL__PRINTF(text, first)
#endif

#endif
