/* fuzz_pickle.c - whatever bytes are read as a pickle: an error, or values that can be walked through. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pickle.h"

#define DTYPE "cnumpy\ndtype\nq\5U\2u1K\0K\1\x87Rq\6(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"

/* As Python 2 wrote CIFAR-10, its class names, and Python 3 with protocols 2, 4 and 5. */
static const char cifar[] =
    "\x80\2}q\1(U\13batch_labelq\2U\1tU\6labels]q\3(K\6M\1\2eU\4data"
    "cnumpy.core.multiarray\n_reconstruct\nq\4cnumpy\nndarray\nK\0\x85U\1b\x87R(K\1K\2K\3\x86" DTYPE
    "\x89T\6\0\0\0abcdeftbu.";
static const char names[] = "\x80\2}(U\13label_names](U\3catU\3dogeU\7num_visM\0\14u.";
static const char latin[] = "\x80\2}X\4\0\0\0datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
                            "c_codecs\nencode\nq\1X\1\0\0\0bX\6\0\0\0latin1q\2\x86R\x87R(K\1K\1K\3\x86" DTYPE
                            "\x88h\1X\5\0\0\0\xc2\x80z\xc3\xbfh\2\x86Rtbs.";
static const char framed[] = "\x80\4\x95\20\0\0\0\0\0\0\0}\x94(\x8c\6labels\x94]\x94(K\1\x8a\1\xff\x8a\0eC\1xh\2u.";
static const char buffer[] =
    "\x80\5\x8c\23numpy._core.numeric\x8c\13_frombuffer\x93(\x96\2\0\0\0\0\0\0\0ab" DTYPE "K\1K\2\x86\x8c\1F\x94tR.";

static const struct {
  const char *data;
  size_t bytes;
} seeds[] = {{cifar, sizeof cifar - 1},
             {names, sizeof names - 1},
             {latin, sizeof latin - 1},
             {framed, sizeof framed - 1},
             {buffer, sizeof buffer - 1}};

const char *const fuzz_words[] = {"\x80\2",
                                  "(",
                                  ")",
                                  "]",
                                  "}",
                                  "e",
                                  "u",
                                  "t",
                                  "\x85",
                                  "\x86",
                                  "\x87",
                                  "R",
                                  "b",
                                  "h\1",
                                  "q\1",
                                  "q\2",
                                  "a",
                                  "s",
                                  "N.",
                                  "K\1",
                                  "\x94",
                                  "\x93",
                                  "U\1b",
                                  "labels",
                                  "data",
                                  "\x89",
                                  "cos\nsystem\n",
                                  "cnumpy\ndtype\n",
                                  "c_codecs\nencode\n",
                                  DTYPE,
                                  NULL};

size_t fuzz_seed(int index, uint8_t data[FUZZ_MOST]) {
  if (index >= (int)(sizeof seeds / sizeof *seeds))
    return 0;
  memcpy(data, seeds[index].data, seeds[index].bytes);
  return seeds[index].bytes;
}

/* Touches every byte that a value promises. */
static void touch(const icl__pickle *p, icl__pickle_value value) {
  static volatile unsigned sum;
  const unsigned char *text;
  size_t bytes;
  int64_t number;
  icl__pickle_matrix m;
  if (icl__pickle_integer(p, value, &number))
    sum += (unsigned)number;
  if (icl__pickle_text(p, value, &text, &bytes))
    for (size_t i = 0; i < bytes; i++)
      sum += text[i];
  if (icl__pickle_array(p, value, &m) && m.columns > 0)
    for (int64_t i = 0; i < m.rows; i++)
      for (int64_t j = 0; j < m.columns; j++)
        sum += m.data[i * m.row_step + j * m.column_step];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char *const keys[] = {"data", "labels", "label_names", "batch_label"};
  icl__pickle *p;
  icl_status status = icl__pickle_read("input", data, bytes, &p);
  FUZZ_REQUIRE(status == ICL_OK || status == ICL_EFORMAT);
  if (status != ICL_OK) {
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
      FUZZ_REQUIRE(bytes != seeds[i].bytes || memcmp(data, seeds[i].data, bytes) != 0);
    FUZZ_REQUIRE(strncmp(icl_message(), "input: ", 7) == 0);
    return 0;
  }
  touch(p, icl__pickle_root(p));
  for (int i = 0; i < 4; i++) {
    icl__pickle_value value = icl__pickle_get(p, icl__pickle_root(p), keys[i]), item = icl__pickle_first(p, value);
    int count = 0;
    touch(p, value);
    for (; item >= 0; item = icl__pickle_next(p, item), count++)
      touch(p, item);
    FUZZ_REQUIRE(count == (icl__pickle_count(p, value) < 0 ? 0 : icl__pickle_count(p, value)));
  }
  icl__pickle_free(p);
  return 0;
}
