/* test_save.c - files that are written beside the program, their further names, and their checksums. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "files.h"
#include "io/safetensors.h"

static icl_metadata summed[] = {{"checksum", "crc32"}, {"format", "pt"}};

/* A file of one tensor whose bytes are all `value`, one of 0 to 7. */
static icl_safetensors contents_of(int value, int32_t bytes) {
  static uint8_t data[8][1 << 20];
  static icl_array arrays[8];
  memset(data[value], value, sizeof data[value]);
  arrays[value] = (icl_array){"w", ICL_U8, 1, {bytes}, data[value], NULL};
  return (icl_safetensors){1, 2, &arrays[value], summed};
}

static icl__save *start(const char *path, const icl_safetensors *contents, const icl__places *places) {
  icl__save *save;
  CHECK_OK(icl__save_new(path, contents, places, &save));
  icl__save_start(save);
  return save;
}

static void save(const char *path, int value, const icl__places *places) {
  icl_safetensors contents = contents_of(value, 1000);
  icl__save *s = start(path, &contents, places);
  CHECK_OK(icl__save_finish(s));
  CHECK(icl__save_is_done(s));
  CHECK_OK(icl__save_finish(s));
  icl__save_free(s);
}

/* The value of such a file; -1: it is not there. */
static int value_of(const char *path) {
  icl_safetensors *file;
  if (access(path, F_OK) != 0)
    return -1;
  CHECK_OK(icl_safetensors_verify(path));
  CHECK_OK(icl_safetensors_read(path, &file));
  int value = ((const uint8_t *)file->arrays[0].data)[file->arrays[0].shape[0] - 1];
  icl_safetensors_free(file);
  return value;
}

/* ---- places ---- */

TEST(the_old_file_is_kept_and_the_new_one_has_more_names) {
  const char *path = file_path("last"), *keep = file_path("previous"), *best = file_path("best");
  const char *links[] = {best, file_path("epoch-1")};
  icl__places places = {keep, 2, links};
  save(path, 1, &places);
  CHECK_EQ(value_of(path), 1);
  CHECK_EQ(value_of(keep), -1);
  CHECK_EQ(value_of(best), 1);
  CHECK_EQ(value_of(links[1]), 1);
  save(path, 2, &(icl__places){keep, 0, NULL});
  CHECK_EQ(value_of(path), 2);
  CHECK_EQ(value_of(keep), 1);
  CHECK_EQ(value_of(best), 1);
  save(path, 3, &places);
  CHECK_EQ(value_of(path), 3);
  CHECK_EQ(value_of(keep), 2);
  CHECK_EQ(value_of(best), 3);
  CHECK_EQ(file_count(), 4);
  struct stat about;
  CHECK_EQ(stat(best, &about), 0);
  CHECK_EQ(about.st_nlink, 3);
}

/* A save that was killed between two names leaves them on one file. */
TEST(names_that_are_one_file_already) {
  const char *path = file_path("last"), *keep = file_path("previous");
  save(path, 1, &(icl__places){0});
  CHECK_EQ(link(path, keep), 0);
  save(path, 2, &(icl__places){keep, 1, (const char *[]){path}});
  CHECK_EQ(value_of(path), 2);
  CHECK_EQ(value_of(keep), 1);
  CHECK_EQ(file_count(), 2);
}

TEST(names_that_cannot_be_given) {
  const char *path = file_path("last");
  icl_safetensors contents = contents_of(2, 10);
  save(path, 1, &(icl__places){0});
  file_make_folder("folder");
  icl__save *s = start(path, &contents, &(icl__places){file_path("folder"), 0, NULL});
  CHECK_ERROR(icl__save_finish(s), ICL_EIO, "/last: cannot keep the old file as ");
  icl__save_free(s);
  icl__save_free(NULL);
  s = start(path, &contents, &(icl__places){file_path("absent/previous"), 0, NULL});
  CHECK_ERROR(icl__save_finish(s), ICL_ENOENT, "/last: cannot keep the old file as ");
  icl__save_free(s);
  CHECK_EQ(value_of(path), 1);
  s = start(path, &contents, &(icl__places){NULL, 1, (const char *[]){file_path("absent/best")}});
  CHECK_ERROR(icl__save_finish(s), ICL_EIO, "/last: it is written, but has no second name: ");
  CHECK_CONTAINS(icl_message(), "absent/best: cannot open its folder");
  icl__save_free(s);
  CHECK_EQ(file_count(), 2);
}

TEST(what_a_killed_process_left_in_the_folder_of_a_further_name_is_removed) {
  file_make_folder("far");
  pid_t child = fork();
  if (child == 0) {
    icl__writer *writer;
    if (icl__writer_open(file_path("far/best"), &writer) == ICL_OK)
      raise(SIGKILL);
    _exit(1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
  save(file_path("last"), 1, &(icl__places){NULL, 1, (const char *[]){file_path("far/best")}});
  CHECK_EQ(value_of(file_path("far/best")), 1);
  CHECK_EQ(unlink(file_path("far/best")), 0);
  CHECK_EQ(rmdir(file_path("far")), 0); /* nothing else was in it */
}

/* The superuser may read every folder, so the test goes on as somebody else, to whom all is given that it made. */
static bool is_somebody(const char *path) {
  enum { SOMEBODY = 65534 };
  char folder[256];
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
  if (geteuid() != 0)
    return true;
  return chown(folder, SOMEBODY, SOMEBODY) == 0 && setegid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0;
}

TEST(a_folder_that_may_be_written_but_not_read) {
  CHECK(is_somebody(file_path("hidden")));
  file_make_folder("hidden");
  const char *path = file_path("hidden/last"), *keep = file_path("hidden/previous"), *best = file_path("hidden/best");
  CHECK_EQ(chmod(file_path("hidden"), 0300), 0);
  icl__places places = {keep, 1, &best};
  save(path, 1, &places);
  save(path, 2, &places);
  CHECK_EQ(value_of(path), 2);
  CHECK_EQ(value_of(keep), 1);
  CHECK_EQ(value_of(best), 2);
  CHECK_EQ(chmod(file_path("hidden"), 0500), 0);
  icl_safetensors contents = contents_of(3, 10);
  CHECK_ERROR(icl_safetensors_write(path, &contents), ICL_EIO, "hidden/last: cannot create a file beside it: ");
  CHECK_EQ(chmod(file_path("hidden"), 0700), 0);
  CHECK_EQ(seteuid(getuid()), 0);
}

/* ---- threads ---- */

TEST(what_the_system_says_comes_with_the_end) {
  icl_safetensors contents = contents_of(2, 1 << 20);
  const char *path = file_path("weights");
  save(path, 1, &(icl__places){0});
  signal(SIGXFSZ, SIG_IGN);
  CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
  icl__save *s = start(path, &contents, &(icl__places){file_path("previous"), 0, NULL});
  for (int i = 0; i < 2; i++)
    CHECK_ERROR(icl__save_finish(s), ICL_EIO, "/weights: cannot write it: File too large");
  icl__save_free(s);
  CHECK_EQ(value_of(path), 1);
  CHECK_EQ(file_count(), 1);
  s = start(file_path("absent/file"), &contents, &(icl__places){0});
  CHECK_ERROR(icl__save_finish(s), ICL_ENOENT, "absent/file: cannot open its folder");
  icl__save_free(s);
}

TEST(saves_run_side_by_side) {
  enum { SAVES = 8 };
  icl__save *s[SAVES];
  icl_safetensors contents = contents_of(7, 1 << 20);
  for (int i = 0; i < 4; i++)
    save(file_path("file%d", i), 1, &(icl__places){0});
  for (int i = 0; i < SAVES; i++)
    s[i] = start(file_path("file%d", i % 4), &contents, &(icl__places){file_path("kept%d", i % 4), 0, NULL});
  for (int i = 0; i < SAVES; i++)
    icl__save_free(s[SAVES - 1 - i]);
  for (int i = 0; i < 4; i++)
    CHECK_EQ(value_of(file_path("file%d", i)), 7);
  CHECK_EQ(file_count(), 8);
}

TEST(of_saves_under_one_name_the_last_one_stays) {
  const char *path = file_path("last"), *keep = file_path("previous");
  icl__save *s[7];
  for (int i = 0; i < 6; i++) {
    icl_safetensors contents = contents_of(i, 100000 * (7 - i));
    s[i] = start(path, &contents, &(icl__places){keep, 0, NULL});
  }
  icl_safetensors contents = contents_of(6, 1);
  CHECK_OK(icl__save_new(path, &contents, &(icl__places){keep, 0, NULL}, &s[6]));
  CHECK_OK(icl__save_finish(s[6])); /* here, behind the others */
  for (int i = 0; i < 7; i++)
    icl__save_free(s[i]);
  CHECK_EQ(value_of(path), 6);
  CHECK_EQ(value_of(keep), 5);
}

TEST(a_process_ends_after_its_saves) {
  char folder[] = "/tmp/icl-test-XXXXXX", path[64];
  CHECK(mkdtemp(folder)); /* that of file_path() goes away when the first process ends */
  snprintf(path, sizeof path, "%s/weights", folder);
  pid_t child = fork();
  if (child == 0) {
    static icl__save *left; /* static, so that a leak checker stays quiet */
    icl_safetensors contents = contents_of(5, 1 << 20);
    left = start(path, &contents, &(icl__places){0});
    exit(left == NULL);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(value_of(path), 5);
  CHECK_EQ(unlink(path), 0);
  CHECK_EQ(rmdir(folder), 0); /* nothing else is in it */
}

TEST(a_child_of_fork_has_nothing_to_finish) {
  const char *path = file_path("weights");
  icl_safetensors contents = contents_of(5, 1 << 20);
  icl__save *s = start(path, &contents, &(icl__places){0});
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  while (!icl__save_is_done(s)) /* their allocators, unlike the C library's, may be locked by the thread in the child */
    usleep(1000);
#endif
  pid_t child = fork();
  if (child == 0) {
    CHECK(icl__save_is_done(s));
    CHECK_ERROR(icl__save_finish(s), ICL_EINVAL, "the process that this one was forked from");
    icl__save_free(s);
    icl_safetensors other = contents_of(6, 10);
    CHECK_OK(icl_safetensors_write(file_path("of the child"), &other));
    raise(SIGKILL); /* passed; at an exit a sanitizer would miss the parent's threads */
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  CHECK_OK(icl__save_finish(s));
  icl__save_free(s);
  CHECK_EQ(value_of(path), 5);
  CHECK_EQ(value_of(file_path("of the child")), 6);
}

TEST(a_save_without_memory) {
  const char *path = file_path("weights");
  icl_safetensors contents = contents_of(5, 100);
  icl__places places = {file_path("previous"), 1, (const char *[]){file_path("best")}};
  size_t before = icl__memory_in_use();
  int allowed = 0;
  for (icl_status status = ICL_ENOMEM; status != ICL_OK; allowed++) {
    icl__save *s = NULL;
    icl__alloc_fail_after(allowed);
    status = icl__save_new(path, &contents, &places, &s);
    if (status == ICL_OK)
      status = icl__save_finish(s);
    icl__alloc_fail_after(-1);
    CHECK(status == ICL_OK || strstr(icl_message(), "out of memory"));
    icl__save_free(s);
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 8);
  CHECK_EQ(value_of(path), 5);
}

/* ---- checksums ---- */

static void check_damaged(const char *bytes, size_t size, const char *message) {
  const char *path = file_put("damaged", bytes, size);
  CHECK_ERROR(icl_safetensors_verify(path), ICL_EFORMAT, message);
  CHECK_CONTAINS(icl_message(), "/damaged");
}

TEST(every_changed_byte_is_found) {
  const char *path = file_path("weights");
  char *bytes;
  size_t size;
  icl_safetensors contents = contents_of(5, 8);
  CHECK_OK(icl_safetensors_write(path, &contents));
  CHECK_OK(icl__file_read_all(path, SIZE_MAX, &bytes, &size));
  const char *key = memmem(bytes, size, "\"checksum\":\"crc32:", 18);
  CHECK(key);
  for (size_t at = 0; at < size; at++)
    for (int bit = 0; bit < 8; bit++) {
      bytes[at] ^= (char)(1 << bit);
      bool is_key = bytes + at >= key && bytes + at < key + 27; /* without which there is nothing to compare with */
      if (!is_key)
        check_damaged(bytes, size, "");
      bytes[at] ^= (char)(1 << bit);
    }
  bytes[size - 1] ^= 1;
  check_damaged(bytes, size, " is damaged: its checksum is crc32:");
  check_damaged(bytes, size - 1, "cut at byte");
  check_damaged("", 0, "it has 0 bytes");
  icl__free(bytes);
  CHECK_ERROR(icl_safetensors_verify(file_path("absent")), ICL_ENOENT, "absent: cannot open it");
}

TEST(files_without_our_checksum_are_fine) {
  icl_metadata pairs[] = {{"checksum", "sha256:0123"}, {"note", "\"checksum\":\"crc32:00000000\""}};
  icl_safetensors contents = contents_of(5, 8);
  contents.metadata = pairs;
  CHECK_OK(icl_safetensors_write(file_path("other"), &contents));
  CHECK_OK(icl_safetensors_verify(file_path("other")));
  contents.metadata_count = 0;
  CHECK_OK(icl_safetensors_write(file_path("none"), &contents));
  CHECK_OK(icl_safetensors_verify(file_path("none")));
}

TEST(what_is_read_can_be_written_again) {
  icl_safetensors contents = contents_of(5, 8), *read;
  CHECK_OK(icl_safetensors_write(file_path("one"), &contents));
  CHECK_OK(icl_safetensors_read(file_path("one"), &read));
  contents = contents_of(6, 8);
  contents.metadata = read->metadata;
  CHECK_OK(icl_safetensors_write(file_path("two"), &contents));
  CHECK_OK(icl_safetensors_verify(file_path("two")));
  icl_safetensors_free(read);
}
