/* test_base.c - random numbers, memory, texts and files of core/base. */
#include "unit.h"

#include "files.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/show.h"
#include "base/text.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Philox ---- */

/* The known answers that the authors publish with Random123. */
TEST(philox_known_answers) {
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint32_t out[4];
    icl__philox(cases[i].key, cases[i].counter, out);
    for (int word = 0; word < 4; word++)
      CHECK_EQ(out[word], cases[i].out[word]);
  }
}

static const uint32_t key[4] = {7, 11, 13, 17};

TEST(philox_draw_is_a_word_of_its_block) {
  for (uint32_t j = 0; j < 9; j++) {
    uint32_t out[4];
    icl__philox(key, (const uint32_t[4]){j / 4, 5, 13, 17}, out);
    CHECK_EQ(icl__draw_word(key, 5, j), out[j % 4]);
  }
}

TEST(philox_fills_equal_single_draws) {
  static const uint32_t firsts[] = {0, 1, 2, 3, 61, 64, 1000001, 0xffffff00u};
  enum { MOST = 200 };
  float uniform[MOST], normal[MOST];
  bool bernoulli[MOST];
  int64_t integer[MOST];
  for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
    for (size_t count = 0; count <= MOST; count += 1 + count / 3) {
      uint32_t first = firsts[f];
      icl__fill_uniform(key, 9, first, count, uniform);
      icl__fill_normal(key, 9, first, count, normal);
      icl__fill_bernoulli(key, 9, first, count, 0.3f, bernoulli);
      icl__fill_integer(key, 9, first, count, -4, 4, integer);
      for (size_t i = 0; i < count; i++) {
        uint32_t j = first + (uint32_t)i;
        CHECK_EQ(uniform[i], icl__draw_uniform(key, 9, j));
        CHECK_EQ(normal[i], icl__draw_normal(key, 9, j));
        CHECK_EQ(bernoulli[i], icl__draw_bernoulli(key, 9, j, 0.3f));
        CHECK_EQ(integer[i], icl__draw_integer(key, 9, j, -4, 4));
      }
    }
  }
}

TEST(philox_ranges) {
  CHECK_EQ(icl__uniform(0), 0.0f);
  CHECK_EQ(icl__uniform(0xffffffffu), 1 - 0x1p-24f);
  CHECK_EQ(icl__integer(0, -3, 5), -3);
  CHECK_EQ(icl__integer(0xffffffffu, -3, 5), 5);
  CHECK_EQ(icl__integer(0xffffffffu, 8, 8), 8);
  CHECK_EQ(icl__integer(0xffffffffu, 0, UINT32_MAX), UINT32_MAX);
  CHECK_EQ(icl__integer(0xffffffffu, INT64_MAX - 1, INT64_MAX), INT64_MAX);
  float pair[2];
  icl__normal_pair((const uint32_t[2]){0, 0}, pair);
  CHECK_NEAR(pair[0], 6.7637, 1e-3); /* sqrt(-2 ln 2^-33): the largest normal there is */
  icl__normal_pair((const uint32_t[2]){0x80000000u, 0x40000000u}, pair);
  CHECK_NEAR(pair[0], 0, 1e-6);
  CHECK_NEAR(pair[1], 1.17741, 1e-5); /* a quarter turn at sqrt(2 ln 2) */
}

TEST(philox_moments) {
  enum { N = 1 << 18 };
  float *x = icl__alloc(N, sizeof *x);
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0, fourth = 0;
  icl__fill_uniform(key, 0, 0, N, x);
  for (int i = 0; i < N; i++) {
    sum += (double)x[i];
    squares += (double)x[i] * (double)x[i];
  }
  icl__fill_normal(key, 1, 0, N, x);
  for (int i = 0; i < N; i++) {
    double v = (double)x[i];
    normal_sum += v;
    normal_squares += v * v;
    fourth += v * v * v * v;
  }
  icl__free(x);
  CHECK_NEAR(sum / N, 0.5, 0.003);
  CHECK_NEAR(squares / N, 1.0 / 3, 0.003);
  CHECK_NEAR(normal_sum / N, 0, 0.01);
  CHECK_NEAR(normal_squares / N, 1, 0.015);
  CHECK_NEAR(fourth / N, 3, 0.1);
}

TEST(permutation_is_a_permutation_for_any_size) {
  for (int64_t n = 0; n < 150; n += 1 + n / 9) {
    int64_t order[150];
    bool seen[150] = {false};
    CHECK_OK(icl__permutation(key, n, order));
    for (int64_t i = 0; i < n; i++) {
      CHECK(order[i] >= 0 && order[i] < n);
      CHECK(!seen[order[i]]);
      seen[order[i]] = true;
    }
  }
}

TEST(permutation_follows_its_rule) {
  enum { N = 131 };
  int64_t order[N], expected[N];
  CHECK_OK(icl__permutation(key, N, order));
  for (int64_t i = 0; i < N; i++)
    expected[i] = i;
  for (uint32_t j = 0; j < N; j++) {
    int64_t last = N - 1 - j, other = icl__draw_integer(key, 0, j, 0, last), value = expected[last];
    expected[last] = expected[other];
    expected[other] = value;
  }
  for (int i = 0; i < N; i++)
    CHECK_EQ(order[i], expected[i]);
}

TEST(permutation_visits_all_orders_alike) {
  int count[6] = {0};
  for (uint32_t i = 0; i < 6000; i++) {
    int64_t order[3];
    CHECK_OK(icl__permutation((const uint32_t[4]){i, 0, 0, 0}, 3, order));
    count[2 * order[0] + (order[1] > order[2])]++;
  }
  for (int i = 0; i < 6; i++)
    CHECK_NEAR(count[i], 1000, 150);
}

TEST(permutation_refuses_sizes) {
  CHECK_ERROR(icl__permutation(key, -1, NULL), ICL_EINVAL, "-1");
  CHECK_ERROR(icl__permutation(key, INT64_C(1) << 32, NULL), ICL_EINVAL, "4294967296");
}

/* ---- memory ---- */

TEST(memory_is_aligned_and_counted) {
  static const size_t sizes[] = {0, 1, 63, 64, 4096, 100000, 5 << 20};
  size_t before = icl__memory_in_use();
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *p = icl__alloc(sizes[i], 1);
    CHECK(p != NULL);
    CHECK_EQ((uintptr_t)p % ICL__ALIGNMENT, 0);
    CHECK(icl__memory_in_use() >= before + sizes[i]);
    memset(p, 1, sizes[i]);
    icl__free(p);
    CHECK_EQ(icl__memory_in_use(), before);
  }
  icl__free(NULL);
}

TEST(memory_zeroed) {
  unsigned char *p = icl__alloc(1000, 1);
  memset(p, 0xff, 1000);
  icl__free(p);
  p = icl__calloc(250, 4);
  for (int i = 0; i < 1000; i++)
    CHECK_EQ(p[i], 0);
  icl__free(p);
}

TEST(memory_overflow_is_an_error) {
  CHECK(!icl__alloc(SIZE_MAX / 2, 3));
  CHECK_CONTAINS(icl_message(), "out of memory");
  CHECK(!icl__alloc(SIZE_MAX - 3, 1));
  CHECK(!icl__calloc(SIZE_MAX / 4, 8));
  char *p = icl__alloc(3, 1);
  CHECK(!icl__realloc(p, SIZE_MAX / 2, 3));
  icl__free(p);
}

TEST(memory_realloc_keeps_contents) {
  char *p = icl__alloc(10, 1);
  memcpy(p, "123456789", 10);
  p = icl__realloc(p, 1 << 23, 1);
  CHECK_STR(p, "123456789");
  p = icl__realloc(p, 5, 1);
  CHECK(memcmp(p, "12345", 5) == 0);
  CHECK_EQ((uintptr_t)p % ICL__ALIGNMENT, 0);
  icl__free(p);
  p = icl__realloc(NULL, 4, 1);
  CHECK(p != NULL);
  icl__free(p);
}

TEST(memory_strdup) {
  char *copy = icl__strdup("layer1.0.conv1");
  CHECK_STR(copy, "layer1.0.conv1");
  icl__free(copy);
}

TEST(memory_grow_doubles) {
  int *array = NULL;
  size_t capacity = 0, moves = 0;
  for (size_t n = 0; n < 10000; n++) {
    int *grown = icl__grow(array, &capacity, n + 1, sizeof *array);
    CHECK(grown != NULL);
    CHECK(capacity > n);
    moves += grown != array;
    array = grown;
    array[n] = (int)n;
  }
  CHECK(moves < 20);
  for (int n = 0; n < 10000; n++)
    CHECK_EQ(array[n], n);
  CHECK(!icl__grow(array, &capacity, SIZE_MAX / 2, sizeof *array));
  CHECK(capacity >= 10000);
  icl__free(array);
}

TEST(memory_fault_injection) {
  size_t before = icl__memory_in_use();
  icl__alloc_fail_after(2);
  void *a = icl__alloc(1, 1), *b = icl__calloc(1, 1);
  CHECK(a && b);
  CHECK(!icl__alloc(1, 1));
  CHECK_CONTAINS(icl_message(), "out of memory");
  CHECK(!icl__strdup("x"));
  CHECK(!icl__realloc(a, 2, 1));
  icl__alloc_fail_after(-1);
  void *c = icl__alloc(1, 1);
  CHECK(c != NULL);
  icl__free(a);
  icl__free(b);
  icl__free(c);
  CHECK_EQ(icl__memory_in_use(), before);
}

TEST(memory_available_is_plausible) {
  size_t available = icl__memory_available();
  CHECK(available > 1 << 20);
  CHECK(available < (size_t)1 << 50);
}

/* ---- files ---- */

static void check_contents(const char *path, const char *expected) {
  char *data;
  size_t bytes;
  CHECK_OK(icl__file_read_all(path, SIZE_MAX, &data, &bytes));
  CHECK_EQ(bytes, strlen(expected));
  CHECK_STR(data, expected);
  icl__free(data);
}

TEST(file_read_all) {
  check_contents(file_put("short", "hello", 5), "hello");
  check_contents(file_put("empty", "", 0), "");
  enum { BYTES = 1 << 20 };
  char *big = icl__alloc(BYTES + 1, 1);
  memset(big, 'x', BYTES);
  big[BYTES] = 0;
  check_contents(file_put("big", big, BYTES), big);
  icl__free(big);
}

TEST(file_read_errors_name_the_path) {
  char *data;
  size_t bytes;
  CHECK_ERROR(icl__file_read_all(file_path("absent"), SIZE_MAX, &data, &bytes), ICL_ENOENT,
              "/absent: cannot open it: No such");
  CHECK_ERROR(icl__file_read_all(file_path("."), SIZE_MAX, &data, &bytes), ICL_EIO, "not a regular file");
  const char *path = file_put("file", "hello", 5);
  icl__alloc_fail_after(0);
  CHECK_ERROR(icl__file_read_all(path, SIZE_MAX, &data, &bytes), ICL_ENOMEM, "/file: out of memory");
  icl__alloc_fail_after(-1);
}

TEST(only_regular_files_up_to_a_size_are_read) {
  char *data;
  size_t bytes;
  CHECK_EQ(mkfifo(file_path("pipe"), 0600), 0);
  CHECK_ERROR(icl__file_read_all(file_path("pipe"), SIZE_MAX, &data, &bytes), ICL_EIO, "/pipe: cannot read it: not a");
  CHECK_ERROR(icl__file_read_all("/dev/zero", SIZE_MAX, &data, &bytes), ICL_EIO, "not a regular file");
  const char *path = file_put("file", "hello", 5);
  CHECK_ERROR(icl__file_read_all(path, 4, &data, &bytes), ICL_EFORMAT,
              "it has 5 bytes; what is read here has at most 4");
  CHECK_OK(icl__file_read_all(path, 5, &data, &bytes));
  icl__free(data);
}

TEST(the_home_folder_in_paths) {
  char expanded[ICL__PATH];
  static const char *const paths[][2] = {{"~", "/h"}, {"~/x", "/h/x"}, {"~x", "~x"}, {"./~", "./~"}, {"", ""}};
  setenv("HOME", "/h", 1);
  for (int i = 0; i < 5; i++) {
    const char *path = paths[i][0];
    CHECK_OK(icl__path_expand(&path, expanded));
    CHECK_STR(path, paths[i][1]);
  }
  char big[ICL__PATH] = "~/";
  memset(big + 2, 'x', sizeof big - 3);
  big[sizeof big - 1] = 0;
  const char *path = big;
  CHECK_ERROR(icl__path_expand(&path, expanded), ICL_ENOTSUP, "a path of 4096 bytes or more");
  unsetenv("HOME");
  path = "~/x";
  CHECK_OK(icl__path_expand(&path, expanded));
  CHECK_STR(path, "~/x");
}

TEST(file_map) {
  icl__map map;
  CHECK_OK(icl__map_open(file_put("file", "hello", 5), &map));
  CHECK_EQ(map.bytes, 5);
  CHECK(memcmp(map.data, "hello", 5) == 0);
  icl__map_close(&map);
  CHECK(!map.data);
  icl__map_close(&map);
  CHECK_OK(icl__map_open(file_put("empty", "", 0), &map));
  CHECK_EQ(map.bytes, 0);
  icl__map_close(&map);
}

TEST(file_map_errors) {
  icl__map map;
  CHECK_ERROR(icl__map_open(file_path("absent"), &map), ICL_ENOENT, "/absent");
  CHECK_ERROR(icl__map_open(file_path("."), &map), ICL_EIO, "not a regular file");
  CHECK_EQ(mkfifo(file_path("pipe"), 0600), 0);
  CHECK_ERROR(icl__map_open(file_path("pipe"), &map), ICL_EIO, "not a regular file");
}

TEST(file_write_replaces) {
  const char *path = file_path("target");
  CHECK_OK(icl__file_write(path, "first", 5));
  check_contents(path, "first");
  CHECK_EQ(chmod(path, 0640), 0);
  CHECK_OK(icl__file_write(path, "second", 6));
  check_contents(path, "second");
  struct stat about;
  CHECK_EQ(stat(path, &about), 0);
  CHECK_EQ(about.st_mode & 0777, 0640);
  CHECK_EQ(file_count(), 1);
}

TEST(file_write_without_a_folder_in_the_path) {
  CHECK_EQ(chdir(file_path(".")), 0);
  CHECK_OK(icl__file_write("plain", "text", 4));
  check_contents(file_path("plain"), "text");
}

TEST(file_write_shows_nothing_before_commit) {
  const char *path = file_put("target", "old", 3);
  icl__writer *writer;
  CHECK_OK(icl__writer_open(path, &writer));
  CHECK_OK(icl__writer_write(writer, "new", 3));
  check_contents(path, "old");
  icl__writer_cancel(writer);
  check_contents(path, "old");
  CHECK_EQ(file_count(), 1);
  icl__writer_cancel(NULL);
}

/* The file size limit stands for a full disk. */
TEST(file_write_without_space) {
  const char *path = file_put("target", "old", 3);
  static char big[100000];
  signal(SIGXFSZ, SIG_IGN);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
  CHECK_ERROR(icl__file_write(path, big, sizeof big), ICL_EIO, "/target: cannot write it: File too large");
  check_contents(path, "old");
  CHECK_EQ(file_count(), 1);
}

TEST(file_write_errors) {
  CHECK_ERROR(icl__file_write(file_path("absent/file"), "x", 1), ICL_ENOENT, "absent/file: cannot open its folder");
  CHECK_ERROR(icl__file_write("/dev/null", "x", 1), ICL_EIO, "not a regular file");
  CHECK_EQ(access("/dev/null", W_OK), 0);
  CHECK_ERROR(icl__file_write(file_path("."), "x", 1), ICL_EIO, "cannot replace it");
  CHECK_EQ(file_count(), 0);
}

TEST(file_write_without_memory) {
  const char *path = file_put("target", "old", 3);
  for (int allowed = 0; allowed < 3; allowed++) { /* the writer, its path, the name of the new file */
    icl__alloc_fail_after(allowed);
    CHECK_ERROR(icl__file_write(path, "x", 1), ICL_ENOMEM, "out of memory");
  }
  icl__alloc_fail_after(-1);
  check_contents(path, "old");
  CHECK_EQ(file_count(), 1);
}

TEST(a_link_stays_and_its_target_is_replaced) {
  file_make_folder("far");
  struct stat about;
  static const char *const links[][2] = {{"far/real", "one"}, {"one", "two"}, {"far/new", "to_nothing"}};
  file_put("far/real", "old", 3);
  for (int i = 0; i < 3; i++)
    CHECK_EQ(symlink(links[i][0], file_path("%s", links[i][1])), 0);
  CHECK_EQ(symlink(file_path("far/real"), file_path("far/absolute")), 0);
  static const char *const through[] = {"two", "far/absolute", "to_nothing"};
  for (int i = 0; i < 3; i++) {
    CHECK_OK(icl__file_write(file_path("%s", through[i]), "abc", (size_t)i + 1));
    CHECK_EQ(lstat(file_path("%s", through[i]), &about), 0);
    CHECK(S_ISLNK(about.st_mode));
    check_contents(file_path(i == 2 ? "far/new" : "far/real"), i == 0 ? "a" : i == 1 ? "ab" : "abc");
  }
  CHECK_EQ(symlink("round", file_path("round")), 0);
  CHECK_ERROR(icl__file_write(file_path("round"), "x", 1), ICL_EIO, "/round: cannot follow its links");
}

/* A process that dies while it writes this file. */
static void die_while_writing(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    icl__writer *writer;
    if (icl__writer_open(path, &writer) == ICL_OK && icl__writer_write(writer, "half", 4) == ICL_OK)
      raise(SIGKILL);
    _exit(1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
}

/* The name of the new file of an open writer. */
static const char *temporary_name(void) {
  static char name[256];
  DIR *entries = opendir(file_path("."));
  for (const struct dirent *entry; (entry = readdir(entries));)
    if (strstr(entry->d_name, ".tmp"))
      snprintf(name, sizeof name, "%s", entry->d_name);
  closedir(entries);
  return name;
}

TEST(files_that_killed_writers_left_are_removed) {
  die_while_writing(file_path("weights"));
  CHECK_EQ(file_count(), 1);
  CHECK_OK(icl__file_write(file_path("other"), "x", 1));
  CHECK_EQ(file_count(), 1);
}

TEST(files_of_living_writers_and_of_others_stay) {
  icl__writer *living;
  CHECK_OK(icl__writer_open(file_path("weights"), &living));
  CHECK_OK(icl__writer_write(living, "alive", 5));
  char like[300];
  snprintf(like, sizeof like, "%s", temporary_name());
  char *host = strstr(like, ".icl-") + 5;
  host[0] = host[0] == '0' ? '1' : '0'; /* another host */
  file_put(like, "", 0);
  file_put("notes.tmp", "", 0);
  file_put("weights.icl-12345678-1-1.tmp.bak", "", 0);
  file_make_folder("a.icl-12345678-1-1.tmp");
  pid_t child = fork(); /* another process, which has none of our locks */
  if (child == 0)
    _exit(icl__file_write(file_path("other"), "x", 1) != ICL_OK);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(file_count(), 6);
  CHECK_OK(icl__writer_commit(living));
  check_contents(file_path("weights"), "alive");
}

/* ---- texts ---- */

static void check_shown(const char *text, const char *expected) {
  char shown[128], again[128];
  icl__show(text, shown, sizeof shown);
  CHECK_STR(shown, expected);
  icl__show(shown, again, sizeof again);
  CHECK_STR(again, expected);
}

TEST(what_a_terminal_would_obey_is_escaped) {
  check_shown("", "");
  check_shown("cat \\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x88", "cat \\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x88");
  check_shown("a\x1b[31m\n\t\x7f", "a\\x1b[31m\\x0a\\x09\\x7f");
  check_shown("\xc2\x9b", "\\xc2\\x9b");                       /* CSI in one character */
  check_shown("\xe2\x80\xae", "\\xe2\\x80\\xae");              /* from right to left */
  check_shown("\xff \xc3 \xc0\x80", "\\xff \\xc3 \\xc0\\x80"); /* no UTF-8: no such byte, cut, too long */
  check_shown("\xe0\x80\x80", "\\xe0\\x80\\x80");
  check_shown("\xed\xa0\x80\xf5", "\\xed\\xa0\\x80\\xf5"); /* a surrogate, beyond the last plane */
  char shown[6];
  icl__show("abcd\xc3\xa9", shown, sizeof shown);
  CHECK_STR(shown, "abcd");
  icl__show("ab\x1b", shown, sizeof shown);
  CHECK_STR(shown, "ab");
}

TEST(messages_show_what_they_quote) {
  icl__fail(ICL_EIO, "%s: gone", "a\x1b]0;title\a");
  CHECK_STR(icl_message(), "a\\x1b]0;title\\x07: gone");
  icl__wrap(ICL_EIO, "in \xff");
  CHECK_STR(icl_message(), "in \\xff: a\\x1b]0;title\\x07: gone");
}

TEST(a_text_grows_by_what_is_said) {
  icl__text text = {0};
  icl__say(&text, "%s", "");
  CHECK_STR(text.text, "");
  for (int i = 0; i < 300; i++)
    icl__say(&text, "%03d,", i);
  CHECK_OK(text.status);
  CHECK_EQ((int)text.used, 1200);
  CHECK_EQ((int)strlen(text.text), 1200);
  CHECK(!strncmp(text.text + 1192, "298,299,", 8));
  icl__text more = {.text = text.text, .used = text.used, .capacity = text.used + 1};
  icl__say(&more, "end");
  CHECK(!strcmp(more.text + 1196, "299,end"));
  icl__free(more.text);
}

TEST(a_text_keeps_its_first_failure) {
  icl__text text = {.status = ICL_ENOMEM};
  icl__say(&text, "more");
  CHECK_EQ(text.status, ICL_ENOMEM);
  CHECK(!text.text);
}
