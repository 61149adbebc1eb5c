/* fuzz.h - what a fuzz target consists of: tests/fuzz/fuzz_NAME.c.
 *
 * With driver.c it is a program `fuzz_NAME [COUNT [FIRST]]` that changes valid inputs in random ways. Input number i is
 * always the same, so a crash at input i is seen again with `fuzz_NAME 1 i`. Without driver.c, libFuzzer runs it:
 *
 *   clang -fsanitize=fuzzer,address,undefined -Icore -Itests/fuzz tests/fuzz/fuzz_NAME.c LIBRARY... */
#ifndef ICL_TESTS_FUZZ_H
#define ICL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs an input; whatever should not happen crashes. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Writes the valid input number `index` into `data` and returns its length; 0 if there are no more. */
enum { FUZZ_MOST = 4096 };
size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]);

/* Words of the format, ended by NULL; some are put in. */
extern const char *const fuzz_words[];

/* Ends the program with a message unless `condition` holds. */
#define FUZZ_REQUIRE(condition)                                                                                        \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: %s does not hold: %s\n", __FILE__, __LINE__, #condition, icl_message());                 \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

#endif
