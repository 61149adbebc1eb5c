/* test_pickle.c - the pickles in which CIFAR comes for Python: values, arrays, and what is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/pickle.h"
#include "files.h"

/* Bytes of a string literal with zeros in it. */
#define READ(text, result) icl__pickle_read("input", (const unsigned char *)(text), sizeof(text) - 1, result)

static void check_refused(const char *text, size_t bytes, const char *message) {
  icl__pickle *p;
  size_t before = icl__memory_in_use();
  CHECK_ERROR(icl__pickle_read("input", (const unsigned char *)text, bytes, &p), ICL_EFORMAT, message);
  CHECK_CONTAINS(icl_message(), "input: ");
  CHECK_EQ(icl__memory_in_use(), before);
}
#define REFUSED(text, message) check_refused(text, sizeof(text) - 1, message)

static void check_text(const icl__pickle *p, icl__pickle_value value, const char *expected) {
  const unsigned char *text = NULL;
  size_t bytes = 0;
  CHECK(icl__pickle_text(p, value, &text, &bytes));
  CHECK_EQ(bytes, strlen(expected));
  CHECK(memcmp(text, expected, bytes) == 0);
}

TEST(integers) {
  static const int64_t expected[] = {7, 513, -2, 255, -129, 0, 1, 0};
  icl__pickle *p;
  CHECK_OK(READ("\x80\2](K\7M\1\2J\xfe\xff\xff\xff\x8a\2\xff\0\x8a\2\x7f\xff\x8a\0\x88\x89"
                "e.",
                &p));
  icl__pickle_value item = icl__pickle_first(p, icl__pickle_root(p));
  CHECK_EQ(icl__pickle_count(p, icl__pickle_root(p)), 8);
  for (int i = 0; i < 8; i++, item = icl__pickle_next(p, item)) {
    int64_t value = 99;
    CHECK(icl__pickle_integer(p, item, &value));
    CHECK_EQ(value, expected[i]);
  }
  CHECK(item < 0);
  icl__pickle_free(p);
  icl__pickle_free(NULL);
}

/* { "a": "x", "b": [], "c": None } with every way to write texts and items. */
TEST(dictionaries) {
  icl__pickle *p;
  CHECK_OK(READ("\x80\4\x95\1\0\0\0\0\0\0\0}(\x8c\1aX\1\0\0\0xC\1b]u\x8d\1\0\0\0\0\0\0\0cNs.", &p));
  icl__pickle_value root = icl__pickle_root(p);
  check_text(p, icl__pickle_get(p, root, "a"), "x");
  CHECK_EQ(icl__pickle_count(p, icl__pickle_get(p, root, "b")), 0);
  CHECK(icl__pickle_first(p, icl__pickle_get(p, root, "b")) < 0);
  CHECK(icl__pickle_get(p, root, "c") >= 0);
  CHECK(icl__pickle_get(p, root, "d") < 0);
  CHECK_EQ(icl__pickle_count(p, root), -1);
  CHECK(icl__pickle_get(p, icl__pickle_get(p, root, "a"), "a") < 0);
  icl__pickle_free(p);
}

/* A value that is used twice, and a list that is in itself. */
TEST(values_that_are_used_again) {
  icl__pickle *p;
  CHECK_OK(READ("\x80\2]q\0(U\3oneq\1h\1h\0e.", &p));
  icl__pickle_value root = icl__pickle_root(p), item = icl__pickle_first(p, root);
  CHECK_EQ(icl__pickle_count(p, root), 3);
  check_text(p, item, "one");
  item = icl__pickle_next(p, item);
  check_text(p, item, "one");
  item = icl__pickle_next(p, item);
  CHECK_EQ(icl__pickle_count(p, item), 3);
  CHECK(icl__pickle_next(p, item) < 0);
  icl__pickle_free(p);
}

/* ---- arrays ---- */

#define DTYPE                 "cnumpy\ndtype\nU\2u1K\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
#define RECONSTRUCT(module)   "c" module "\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
#define ARRAY(module, state)  RECONSTRUCT(module) "(K\1" state "tb"
#define MATRIX(columns_first) "K\2K\3\x86" DTYPE columns_first "U\6abcdef"

static void check_matrix(const icl__pickle *p, const char *expected) {
  icl__pickle_matrix m;
  CHECK(icl__pickle_array(p, icl__pickle_root(p), &m));
  CHECK_EQ(m.rows, 2);
  CHECK_EQ(m.columns, 3);
  for (int64_t i = 0; i < 6; i++)
    CHECK_EQ(m.data[i / 3 * m.row_step + i % 3 * m.column_step], expected[i]);
}

TEST(arrays) {
  icl__pickle *p;
  CHECK_OK(READ("\x80\2" ARRAY("numpy.core.multiarray", MATRIX("\x89")) ".", &p));
  check_matrix(p, "abcdef");
  icl__pickle_free(p);
  CHECK_OK(READ("\x80\2" ARRAY("numpy._core.multiarray", MATRIX("\x88")) ".", &p));
  check_matrix(p, "acebdf");
  icl__pickle_free(p);
  CHECK_OK(READ("\x80\5"
                "cnumpy._core.numeric\n_frombuffer\n(\x96\6\0\0\0\0\0\0\0abcdef" DTYPE "K\2K\3\x86U\1Ct"
                "R.",
                &p));
  check_matrix(p, "abcdef");
  icl__pickle_free(p);
}

/* Bytes that Python 3 wrote for Python 2. */
TEST(bytes_as_text) {
  icl__pickle *p;
  const unsigned char *text = NULL;
  size_t bytes = 0;
  CHECK_OK(READ("\x80\2"
                "c_codecs\nencode\nX\6\0\0\0a\xc2\x80\xc3\xbf\0X\6\0\0\0latin1\x86R.",
                &p));
  CHECK(icl__pickle_text(p, icl__pickle_root(p), &text, &bytes));
  CHECK_EQ(bytes, 4);
  CHECK(memcmp(text, "a\x80\xff\0", 4) == 0);
  icl__pickle_free(p);
  REFUSED("\x80\2"
          "c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R.",
          "has text that is not latin1");
  REFUSED("\x80\2"
          "c_codecs\nencode\nX\1\0\0\0\xc3X\6\0\0\0latin1\x86R.",
          "has text that is not latin1");
  REFUSED("\x80\2"
          "c_codecs\nencode\nX\1\0\0\0aX\5\0\0\0utf-8\x86R.",
          "in an encoding that is not latin1");
}

TEST(arrays_that_are_no_images) {
  REFUSED("\x80\2"
          "cnumpy\ndtype\nU\2f4K\0K\1\x87R.",
          "has elements of numpy's type f4; images are bytes, u1");
  REFUSED("\x80\2" ARRAY("numpy.core.multiarray", "K\2K\3\x86" DTYPE "\x89U\5abcde") ".", "is 2 x 3, but has 5 bytes");
  REFUSED("\x80\2" ARRAY("numpy.core.multiarray", "J\xfe\xff\xff\xffJ\xfd\xff\xff\xff\x86" DTYPE "\x89U\6abcdef") ".",
          "is -2 x -3, but has 6 bytes");
  REFUSED("\x80\2" ARRAY("numpy.core.multiarray", "K\6\x85" DTYPE "\x89U\6abcdef") ".", "has not two axes");
  REFUSED("\x80\2" ARRAY("numpy.core.multiarray", "K\2K\3\x86N\x89U\6abcdef") ".", "has no dtype");
  REFUSED("\x80\2" ARRAY("numpy.core.multiarray", "K\2K\3\x86" DTYPE "\x89N") ".", "has no bytes");
  REFUSED("\x80\2" RECONSTRUCT("numpy.core.multiarray") "Nb.", "this state is not that of an array");
  REFUSED("\x80\2]Nb.", "this state is not that of an array");
}

/* ---- what is refused ---- */

TEST(nothing_is_called) {
  REFUSED("\x80\2"
          "cos\nsystem\nU\4true\x85R.",
          "byte 2 asks for os.system; an image set has no such thing, and nothing of it is executed");
  REFUSED("\x80\4\x8c\10builtins\x8c\4eval\x93.", "byte 18 asks for builtins.eval");
  REFUSED("\x80\2NN\x86R.", "is missing on the stack");
  REFUSED("\x80\2NNN\x86R.", "what is called is no function");
  REFUSED("\x80\2"
          "cnumpy\nndarray\n)R.",
          "what is called is no function");
  REFUSED("\x80\2N\x81.", "byte 3 is the instruction 0x81 of a pickle, and only dictionaries");
  REFUSED("\x80\2N\x93.", "a value is missing on the stack");
  REFUSED("\x80\4NN\x93.", "a name is no text");
}

TEST(damaged_pickles) {
  REFUSED("", "it is no pickle of protocol 2 to 5");
  REFUSED("(dp0\n.", "it is no pickle of protocol 2 to 5");
  REFUSED("\x80\6N.", "it is no pickle of protocol 2 to 5");
  REFUSED("\x80\2", "it is cut: an instruction ends behind byte 2");
  REFUSED("\x80\2U\5abc", "it is cut");
  REFUSED("\x80\2X\xff\xff\xff\xff.", "it is cut");
  REFUSED("\x80\2T\xff\xff\xff\xff.", "a negative length");
  REFUSED("\x80\4\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "it is cut");
  REFUSED("\x80\2"
          "cnumpy",
          "it is cut");
  REFUSED("\x80\2N.N", "it should end at byte 4, but bytes follow");
  REFUSED("\x80\2.", "damaged at byte 2: a value is missing on the stack");
  REFUSED("\x80\2(.", "damaged at byte 3: a value is missing on the stack");
  REFUSED("\x80\2t.", "a mark is missing");
  REFUSED("\x80\2(N\x86.", "a value is missing");
  REFUSED("\x80\2](a.", "a value is missing");
  REFUSED("\x80\2N(Ne.", "a value is of the wrong kind");
  REFUSED("\x80\2}(Nu.", "a key has no value");
  REFUSED("\x80\2]Na]s.", "a value is missing");
  REFUSED("\x80\2Nr\xff\xff\xff\x7f.", "a place in the memo is out of range");
  REFUSED("\x80\2h\0.", "a place in the memo is empty");
  REFUSED("\x80\2Nq\1h\0.", "a place in the memo is empty");
  REFUSED("\x80\2\x8a\11aaaaaaaaa.", "an integer of more than 64 bits");
}

/* Bytes that are named once and decoded often would fill the memory. */
TEST(repeated_bytes_are_refused) {
  char text[4096] = "\x80\2"
                    "c_codecs\nencode\nq\1X\x64\0\0\0";
  size_t used = 25;
  memset(text + used, 'a', 100);
  used += 100;
  memcpy(text + used, "q\2X\6\0\0\0latin1\x86q\3R", 17);
  used += 17;
  for (int i = 0; i < 10; i++, used += 5)
    memcpy(text + used, "h\1h\3R", 5);
  text[used++] = '.';
  check_refused(text, used, "repeats bytes; each is used once");
}

TEST(pickles_without_memory) {
  static const char text[] = "\x80\2](K\1q\1h\1U\1ac_codecs\nencode\nX\1\0\0\0aX\6\0\0\0latin1\x86Re.";
  icl_status status = ICL_ENOMEM;
  int allowed = 0;
  for (; status != ICL_OK; allowed++) {
    icl__pickle *p;
    size_t before = icl__memory_in_use();
    icl__alloc_fail_after(allowed);
    status = icl__pickle_read("input", (const unsigned char *)text, sizeof text - 1, &p);
    icl__alloc_fail_after(-1);
    CHECK(status == ICL_OK || status == ICL_ENOMEM);
    if (status == ICL_OK)
      icl__pickle_free(p);
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 4);
}

/* ---- CIFAR ---- */

TEST(pickles_of_something_else) {
  icl_dataset *set;
  file_put("test_batch", "\x80\2}.", 4);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
              "/test_batch: its pickle has no array of images, 'data'");
  static const char array[] = "\x80\2}U\4data" ARRAY("numpy.core.multiarray", MATRIX("\x89")) "s.";
  file_put("test_batch", array, sizeof array - 1);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
              "/test_batch: 'data' is 2 x 3; this file of cifar10 is 10000 images of 3072 bytes");
}
