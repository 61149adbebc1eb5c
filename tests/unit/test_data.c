/* test_data.c - image sets in files made here: found where they may lie, read right, refused when they are damaged. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "files.h"

/* ---- files of MNIST's form ---- */

enum { IMAGES = 3, PIXELS = 28 * 28, IMAGE_FILE = 16 + IMAGES * PIXELS, LABEL_FILE = 8 + IMAGES };

static const unsigned char image_header[16] = {0, 0, 8, 3, 0, 0, 0, IMAGES, 0, 0, 0, 28, 0, 0, 0, 28};
static const unsigned char label_file[LABEL_FILE] = {0, 0, 8, 1, 0, 0, 0, IMAGES, 9, 0, 4};

static unsigned char pixel(int i) { return (unsigned char)(i * 7 + i / 256); }

static const unsigned char *image_file(void) {
  static unsigned char file[IMAGE_FILE];
  memcpy(file, image_header, sizeof image_header);
  for (int i = 0; i < IMAGES * PIXELS; i++)
    file[16 + i] = pixel(i);
  return file;
}

/* The training part of mnist in the folder of this name; "." is the folder of the test. */
static const char *put_set(const char *folder) {
  char name[128];
  file_make_folder(folder);
  snprintf(name, sizeof name, "%s/train-images-idx3-ubyte", folder);
  file_put(name, image_file(), IMAGE_FILE);
  snprintf(name, sizeof name, "%s/train-labels-idx1-ubyte", folder);
  file_put(name, label_file, LABEL_FILE);
  return file_path("%s", folder);
}

static const char *put_images(const void *data, size_t bytes) {
  return file_put("train-images-idx3-ubyte", data, bytes);
}
static const char *put_labels(const void *data, size_t bytes) {
  return file_put("train-labels-idx1-ubyte", data, bytes);
}

/* `data` as gzip writes it; -> how many bytes. */
static size_t compress_into(unsigned char *out, size_t room, const void *data, size_t bytes) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)bytes, .next_out = out, .avail_out = (uInt)room};
  CHECK_EQ(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  deflateEnd(&z);
  return z.total_out;
}

static void check_read(const char *folder) {
  icl_dataset *set;
  CHECK_OK(icl_dataset_read("mnist", folder, ICL_TRAIN, &set));
  CHECK_EQ(set->count, IMAGES);
  CHECK_EQ(set->labels[0], 9);
  CHECK_EQ(set->labels[2], 4);
  for (int i = 0; i < IMAGES * PIXELS; i++)
    CHECK_EQ(set->images[i], pixel(i));
  icl_dataset_free(set);
}

static void check_refused(icl_status status, const char *message) {
  icl_dataset *set;
  CHECK_ERROR(icl_dataset_read("mnist", file_path("."), ICL_TRAIN, &set), status, message);
}

TEST(a_part_that_there_is_not_is_refused) {
  icl_dataset *set = NULL;
  CHECK_ERROR(icl_dataset_read("mnist", NULL, (icl_part)2, &set), ICL_EINVAL, "mnist: there is no part of number 2");
}

TEST(a_set_is_read) {
  icl_dataset *set;
  CHECK_OK(icl_dataset_read("mnist", put_set("."), ICL_TRAIN, &set));
  CHECK_STR(set->name, "mnist");
  CHECK_STR(set->folder, file_path("."));
  CHECK_EQ(set->height, 28);
  CHECK_EQ(set->width, 28);
  CHECK_EQ(set->channels, 1);
  CHECK_EQ(set->classes, 10);
  CHECK_STR(set->class_names[9], "9");
  CHECK_NEAR(set->mean[0], 0.1307, 0);
  CHECK_NEAR(set->std[0], 0.3081, 0);
  icl_dataset_free(set);
  check_read(file_path("."));
  icl_dataset_free(NULL);
}

TEST(test_files_have_names_of_their_own) {
  icl_dataset *set;
  put_set(".");
  CHECK_ERROR(icl_dataset_read("mnist", file_path("."), ICL_TEST, &set), ICL_ENOENT, "t10k-images-idx3-ubyte");
  file_put("t10k-images-idx3-ubyte", image_file(), IMAGE_FILE);
  CHECK_ERROR(icl_dataset_read("mnist", file_path("."), ICL_TEST, &set), ICL_ENOENT,
              "/t10k-labels-idx1-ubyte is missing, also with .gz behind its name, and mnist needs it");
  file_put("t10k-labels-idx1-ubyte", label_file, LABEL_FILE);
  CHECK_OK(icl_dataset_read("mnist", file_path("."), ICL_TEST, &set));
  icl_dataset_free(set);
}

/* ---- where sets are found ---- */

TEST(folders_that_hold_a_set) {
  const char *folders[] = {".", "mnist", "MNIST/raw", "mnist/MNIST/raw"};
  for (int i = 0; i < 4; i++) {
    check_read((put_set(folders[i]), file_path(".")));
    CHECK_EQ(remove(file_path("%s/train-images-idx3-ubyte", folders[i])), 0);
    CHECK_EQ(remove(file_path("%s/train-labels-idx1-ubyte", folders[i])), 0);
  }
  check_refused(ICL_ENOENT, "mnist is not there: the files train-images-idx3-ubyte, train-labels-idx1-ubyte should be "
                            "in it or in its folder mnist, MNIST/raw; yann.lecun.com");
}

TEST(a_folder_named_like_the_set_comes_first) {
  put_set(".");
  put_images("other set", 9);
  put_set("mnist");
  check_read(file_path("."));
}

TEST(standard_folders) {
  icl_dataset *set;
  setenv("HOME", file_path("home"), 1);
  setenv("XDG_DATA_HOME", file_path("data"), 1);
  setenv("XDG_CACHE_HOME", file_path("cache"), 1);
  CHECK_ERROR(icl_dataset_read("mnist", NULL, ICL_TRAIN, &set), ICL_ENOENT, "mnist is not on this machine: none of");
  CHECK_CONTAINS(icl_message(), file_path("data/icl, "));
  CHECK_CONTAINS(icl_message(), file_path("cache/icl, "));
  CHECK_CONTAINS(icl_message(), "/usr/share/icl");
  CHECK_CONTAINS(icl_message(), "has a folder mnist, MNIST/raw with the files train-images-idx3-ubyte");
  CHECK_CONTAINS(icl_message(), "yann.lecun.com/exdb/mnist has them, `icl data fetch mnist` gets them");
  put_set("cache/icl/mnist");
  check_read(NULL);
  put_set("data/icl/mnist");
  CHECK_OK(icl_dataset_read("mnist", NULL, ICL_TRAIN, &set));
  CHECK_STR(set->folder, file_path("data/icl/mnist"));
  icl_dataset_free(set);
}

TEST(standard_folders_without_variables) {
  icl_dataset *set;
  setenv("HOME", file_path("home"), 1);
  setenv("XDG_DATA_HOME", "relative", 1); /* to be ignored */
  unsetenv("XDG_CACHE_HOME");
  put_set("home/.cache/icl/mnist");
  check_read(NULL);
  put_set("home/.local/share/icl/mnist");
  CHECK_OK(icl_dataset_read("mnist", NULL, ICL_TRAIN, &set));
  CHECK_STR(set->folder, file_path("home/.local/share/icl/mnist"));
  icl_dataset_free(set);
  unsetenv("HOME");
  CHECK_ERROR(icl_dataset_read("mnist", NULL, ICL_TRAIN, &set), ICL_ENOENT, "none of /usr/local/share/icl, /usr");
}

TEST(a_folder_that_is_given_is_the_only_one) {
  setenv("XDG_DATA_HOME", file_path("data"), 1);
  put_set("data/icl/mnist");
  file_make_folder("empty");
  icl_dataset *set;
  CHECK_ERROR(icl_dataset_read("mnist", file_path("empty"), ICL_TRAIN, &set), ICL_ENOENT, "/empty: mnist is not there");
  CHECK_ERROR(icl_dataset_read("mnist", file_path("absent"), ICL_TRAIN, &set), ICL_ENOENT,
              "/absent: cannot open it to read mnist: No such file");
  char longer[5000];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  CHECK_ERROR(icl_dataset_read("mnist", longer, ICL_TRAIN, &set), ICL_EIO, "xxx");
  file_put("file", "", 0);
  CHECK_ERROR(icl_dataset_read("mnist", file_path("file"), ICL_TRAIN, &set), ICL_ENOENT,
              "/file: it is a file, and mnist is read from a folder; give the one that it lies in");
}

/* Root may look everywhere, so it becomes nobody for a while. */
TEST(folders_that_may_not_be_looked_at) {
  icl_dataset *set;
  bool root = getuid() == 0;
  setenv("HOME", put_set("home/.local/share/icl/mnist"), 1);
  setenv("XDG_DATA_HOME", file_path("home"), 1);
  CHECK_EQ(chmod(file_path("home"), 0), 0);
  if (root)
    CHECK_EQ(setresuid(65534, 65534, 0), 0);
  icl_status given = icl_dataset_read("mnist", file_path("home"), ICL_TRAIN, &set);
  bool told = strstr(icl_message(), "/home: cannot open it to read mnist: Permission denied") != NULL;
  icl_status standard = icl_dataset_read("mnist", NULL, ICL_TRAIN, &set); /* goes on to the next place */
  bool searched = strstr(icl_message(), "mnist is not on this machine") != NULL;
  if (root)
    CHECK_EQ(setresuid(0, 0, 0), 0);
  CHECK_EQ(chmod(file_path("home"), 0700), 0);
  CHECK_EQ(given, ICL_EIO);
  CHECK(told);
  CHECK_EQ(standard, ICL_ENOENT);
  CHECK(searched);
}

TEST(the_home_folder_in_a_path) {
  setenv("HOME", put_set("."), 1);
  put_set("sets/mnist");
  check_read("~");
  check_read("~/sets");
}

TEST(names_of_sets) {
  icl_dataset *set;
  CHECK_ERROR(icl_dataset_read("cifar-10", NULL, ICL_TRAIN, &set), ICL_ENOENT,
              "there is no image set 'cifar-10' (did you mean cifar10?); there are cifar10, cifar100, fashion_mnist, "
              "kmnist, mnist");
  CHECK_ERROR(icl_dataset_read("MNIST", NULL, ICL_TRAIN, &set), ICL_ENOENT, "(did you mean mnist?)");
  CHECK_ERROR(icl_dataset_read("imagenet", NULL, ICL_TRAIN, &set), ICL_ENOENT, "'imagenet'; there are");
  CHECK_ERROR(icl_dataset_read("a name that is much longer than that of any set", NULL, ICL_TRAIN, &set), ICL_ENOENT,
              "'; there are");
}

/* ---- damaged IDX files ---- */

static const struct {
  bool labels;
  size_t at; /* this byte of a good file ... */
  unsigned char byte;
  const char *message;
} changed[] = {
    {false, 0, 1, "train-images-idx3-ubyte: not an IDX file: it begins with the bytes 01 00 08 03"},
    {false, 1, 9, "not an IDX file: it begins with the bytes 00 09 08 03"},
    {false, 2, 13, "the IDX type in byte 2 is 0x0d; images and labels are bytes, 0x08"},
    {false, 3, 1, "byte 3 says 1 axes; images have 3, labels 1, and here 3 should be"},
    {false, 4, 0x80, "the size in bytes 4 to 7, 2147483651, is too large"},
    {false, 7, IMAGES - 1, "its contents should end at byte 1584, but bytes follow"},
    {false, 7, IMAGES + 1, "it is cut: its contents end at byte 2368; 784 bytes should follow"},
    {false, 11, 21, "bytes follow"},
    {true, 0, 1, "train-labels-idx1-ubyte: not an IDX file"},
    {true, 3, 3, "byte 3 says 3 axes; images have 3, labels 1, and here 1 should be"},
    {true, 7, IMAGES - 1, "bytes follow"},
    {true, 8, 10, "byte 8 of its contents gives image 0 the label 10; they go from 0 to 9"},
    {true, 10, 255, "byte 10 of its contents gives image 2 the label 255"},
};

TEST(changed_bytes_are_refused) {
  for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
    unsigned char file[IMAGE_FILE];
    put_set(".");
    memcpy(file, changed[i].labels ? label_file : image_file(), changed[i].labels ? LABEL_FILE : IMAGE_FILE);
    file[changed[i].at] = changed[i].byte;
    changed[i].labels ? put_labels(file, LABEL_FILE) : put_images(file, IMAGE_FILE);
    check_refused(ICL_EFORMAT, changed[i].message);
  }
}

TEST(cut_and_lengthened_files_are_refused) {
  unsigned char longer[LABEL_FILE + 1] = {0};
  put_set(".");
  for (size_t bytes = 0; bytes < LABEL_FILE; bytes++) {
    put_labels(label_file, bytes);
    check_refused(ICL_EFORMAT, "train-labels-idx1-ubyte: it is cut: its contents end at byte");
  }
  memcpy(longer, label_file, LABEL_FILE);
  put_labels(longer, sizeof longer);
  check_refused(ICL_EFORMAT, "its contents should end at byte 11, but bytes follow");
  put_labels(label_file, LABEL_FILE);
  put_images(image_file(), IMAGE_FILE - 1);
  check_refused(ICL_EFORMAT, "train-images-idx3-ubyte: it is cut");
  put_images(image_file(), 13);
  check_refused(ICL_EFORMAT, "it is cut: its contents end at byte 13; 3 bytes should follow");
}

TEST(files_that_do_not_fit_each_other_or_the_set) {
  put_set(".");
  put_labels("\0\0\10\1\0\0\0\2\0\0", 10);
  check_refused(ICL_EFORMAT, "train-labels-idx1-ubyte: it has 2 labels, but there are 3 images");
  put_labels("\0\0\10\1\0\0\0\4\0\0\0\0", 12);
  check_refused(ICL_EFORMAT, "it has 4 labels, but there are 3 images");
  put_labels(image_file(), IMAGE_FILE);
  check_refused(ICL_EFORMAT, "byte 3 says 3 axes");
  put_images("\0\0\10\3\0\0\0\0\0\0\0\34\0\0\0\34", 16);
  check_refused(ICL_EFORMAT, "there is no image in it");
  put_images("\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\2abcd", 20);
  check_refused(ICL_EFORMAT, "its images are 2 x 2; those of mnist are 28 x 28");
  put_images("\0\0\10\3\177\377\377\377\177\377\377\377\177\377\377\377", 16);
  check_refused(ICL_EFORMAT, "the size in bytes 12 to 15, 2147483647, is too large");
}

TEST(what_is_not_a_file_is_refused) {
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  check_refused(ICL_ENOENT, "train-labels-idx1-ubyte is missing");
  file_make_folder("train-labels-idx1-ubyte");
  check_refused(ICL_ENOENT, "train-labels-idx1-ubyte is missing");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  CHECK_EQ(mkfifo(file_path("train-labels-idx1-ubyte"), 0600), 0);
  check_refused(ICL_EIO, "train-labels-idx1-ubyte: cannot read it: not a regular file");
}

TEST(names_with_a_dot) {
  put_set(".");
  CHECK_EQ(rename(file_path("train-images-idx3-ubyte"), file_path("train-images.idx3-ubyte")), 0);
  CHECK_EQ(rename(file_path("train-labels-idx1-ubyte"), file_path("train-labels.idx1-ubyte.gz")), 0);
  file_make_folder("train-images-idx3-ubyte");
  check_read(file_path("."));
}

/* What is there in place of a set is said, and what to do with it. */
TEST(near_misses_of_sets) {
  icl_dataset *set;
  char expected[512];
  put_set("downloads/numbers");
  snprintf(expected, sizeof expected, "%s has them; it is one level further down: give %s", "yann.lecun.com/exdb/mnist",
           file_path("downloads/numbers"));
  CHECK_ERROR(icl_dataset_read("mnist", file_path("downloads"), ICL_TRAIN, &set), ICL_ENOENT, expected);
  file_put("downloads/cifar-10-binary.tar.gz", "x", 1);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("downloads/cifar-10-binary.tar.gz"), ICL_TRAIN, &set), ICL_ENOENT,
              "it is an archive, and cifar10 is read from a folder; unpack it and give the folder that comes out");
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("downloads"), ICL_TRAIN, &set), ICL_ENOENT,
              "/downloads/cifar-10-binary.tar.gz: if that is the set, unpack it");
  CHECK_ERROR(icl_dataset_read("mnist", file_path("downloads/numbers/train-images-idx3-ubyte"), ICL_TRAIN, &set),
              ICL_ENOENT, "it is a file, and mnist is read from a folder; give the one that it lies in");
  file_make_folder("photos/train");
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("photos"), ICL_TRAIN, &set), ICL_ENOENT, "cifar10 is not there");
  snprintf(expected, sizeof expected, "has them; `icl data fetch cifar10 --data %s` gets them", file_path("photos"));
  CHECK_CONTAINS(icl_message(), expected);
}

/* ---- compressed files ---- */

/* Labels with these compressed bytes, images plain. */
static void put_compressed(const void *data, size_t bytes) { file_put("train-labels-idx1-ubyte.gz", data, bytes); }

TEST(compressed_files_are_read) {
  unsigned char packed[2 * IMAGE_FILE];
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  put_compressed(packed, compress_into(packed, sizeof packed, label_file, LABEL_FILE));
  check_read(file_path("."));
  put_images(packed, compress_into(packed, sizeof packed, image_file(), IMAGE_FILE)); /* the name does not say it */
  check_read(file_path("."));
  put_compressed(label_file, LABEL_FILE); /* nor here */
  check_read(file_path("."));
}

TEST(a_compressed_file_in_parts) {
  unsigned char packed[256];
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  size_t bytes = compress_into(packed, sizeof packed, label_file, 5);
  bytes += compress_into(packed + bytes, sizeof packed - bytes, label_file + 5, LABEL_FILE - 5);
  put_compressed(packed, bytes);
  check_read(file_path("."));
  memset(packed + bytes, 0, 10); /* zeros that fill it up are no contents */
  put_compressed(packed, bytes + 10);
  check_read(file_path("."));
  packed[bytes + 9] = 7;
  put_compressed(packed, bytes + 10);
  char expected[64];
  snprintf(expected, sizeof expected, "the compressed file ends at byte %zu, but 10 bytes follow", bytes);
  check_refused(ICL_EFORMAT, expected);
}

TEST(cut_compressed_files_are_refused) {
  unsigned char packed[256];
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  size_t bytes = compress_into(packed, sizeof packed, label_file, LABEL_FILE);
  for (size_t cut = 2; cut < bytes; cut++) {
    char expected[128];
    snprintf(expected, sizeof expected, "train-labels-idx1-ubyte.gz: the compressed file is cut at byte %zu", cut);
    put_compressed(packed, cut);
    check_refused(ICL_EFORMAT, expected);
  }
}

/* A changed byte is noticed, or it is one of those that do not matter: time, system and level of compression. */
TEST(damaged_compressed_files_are_refused) {
  unsigned char packed[256];
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  size_t bytes = compress_into(packed, sizeof packed, label_file, LABEL_FILE);
  for (size_t at = 2; at < bytes; at++) {
    icl_dataset *set;
    packed[at] ^= 0x55;
    put_compressed(packed, bytes);
    if (at >= 4 && at < 10)
      check_read(file_path("."));
    else
      CHECK_ERROR(icl_dataset_read("mnist", file_path("."), ICL_TRAIN, &set), ICL_EFORMAT, "idx1-ubyte.gz: ");
    packed[at] ^= 0x55;
  }
  packed[bytes - 8] ^= 1;
  put_compressed(packed, bytes);
  check_refused(ICL_EFORMAT, ": incorrect data check");
  CHECK_CONTAINS(icl_message(), "the compressed file is damaged at byte ");
}

TEST(compressed_contents_of_a_wrong_length) {
  unsigned char packed[256], file[LABEL_FILE + 1] = {0};
  put_set(".");
  CHECK_EQ(remove(file_path("train-labels-idx1-ubyte")), 0);
  put_compressed(packed, compress_into(packed, sizeof packed, label_file, LABEL_FILE - 1));
  check_refused(ICL_EFORMAT, "it is cut: its contents, decompressed, end at byte 10; 1 bytes should follow");
  memcpy(file, label_file, LABEL_FILE);
  put_compressed(packed, compress_into(packed, sizeof packed, file, sizeof file));
  check_refused(ICL_EFORMAT, "its contents, decompressed, should end at byte 11, but bytes follow");
  file[4] = 0x7f; /* two billion labels: refused before memory is asked for */
  put_compressed(packed, compress_into(packed, sizeof packed, file, sizeof file));
  check_refused(ICL_EFORMAT, "compressed bytes cannot hold 2130706435");
}

/* ---- CIFAR ---- */

enum { RECORD = 3073, RECORDS = 10000 };

/* A file of zeros as long as `records` records of `record` bytes; only what is written takes room. */
static void put_zeros(const char *name, size_t records, size_t record) {
  file_put(name, "", 0);
  CHECK_EQ(truncate(file_path("%s", name), (off_t)(records * record)), 0);
}

static void put_at(const char *name, size_t at, const void *data, size_t bytes) {
  int file = open(file_path("%s", name), O_WRONLY);
  CHECK_EQ(pwrite(file, data, bytes, (off_t)at), (ssize_t)bytes);
  close(file);
}

TEST(cifar10_is_read) {
  icl_dataset *set;
  for (int i = 1; i <= 5; i++) {
    char name[32];
    snprintf(name, sizeof name, "data_batch_%d.bin", i);
    put_zeros(name, RECORDS, RECORD);
    put_at(name, 0, &(char){(char)i}, 1);
  }
  put_at("data_batch_2.bin", 9999 * RECORD, "\7", 1);              /* label of image 19999 */
  put_at("data_batch_2.bin", 9999 * RECORD + 1 + 33, "\1", 1);     /* its red at row 1, column 1 */
  put_at("data_batch_2.bin", 9999 * RECORD + 1 + 1057, "\2", 1);   /* green */
  put_at("data_batch_2.bin", 9999 * RECORD + 1 + 2081, "\3\4", 2); /* blue, and blue at column 2 */
  CHECK_OK(icl_dataset_read("cifar10", file_path("."), ICL_TRAIN, &set));
  CHECK_EQ(set->count, 5 * RECORDS);
  CHECK_EQ(set->channels, 3);
  for (int i = 0; i < 5; i++)
    CHECK_EQ(set->labels[i * RECORDS], i + 1);
  CHECK_EQ(set->labels[19999], 7);
  const uint8_t *p = set->images + ((size_t)19999 * 1024 + 33) * 3;
  CHECK(memcmp(p, (uint8_t[]){1, 2, 3, 0, 0, 4, 0}, 7) == 0);
  CHECK_STR(set->class_names[6], "frog");
  CHECK_NEAR(set->mean[2], 0.4465, 0);
  icl_dataset_free(set);
  CHECK_EQ(remove(file_path("data_batch_3.bin")), 0);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("."), ICL_TRAIN, &set), ICL_ENOENT,
              "/data_batch_3.bin is missing, and cifar10 needs it; the binary version at");
}

TEST(damaged_cifar10_is_refused) {
  icl_dataset *set;
  put_zeros("test_batch.bin", RECORDS - 1, RECORD);
  CHECK_ERROR(
      icl_dataset_read("cifar10", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
      "/test_batch.bin: it has 30726927 bytes, but this file of cifar10 is 10000 records of 3073: 30730000 bytes");
  put_zeros("test_batch.bin", RECORDS, RECORD);
  put_at("test_batch.bin", RECORDS * RECORD, "", 1);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("."), ICL_TEST, &set), ICL_EFORMAT, "it has 30730001 bytes");
  put_zeros("test_batch.bin", RECORDS, RECORD);
  put_at("test_batch.bin", 2 * RECORD, "\12", 1);
  CHECK_ERROR(icl_dataset_read("cifar10", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
              "/test_batch.bin: byte 6146 gives image 2 the label 10; they go from 0 to 9");
}

TEST(cifar100_has_fine_labels_and_names) {
  icl_dataset *set;
  file_make_folder("cifar-100-binary");
  put_zeros("cifar-100-binary/test.bin", RECORDS, RECORD + 1);
  put_at("cifar-100-binary/test.bin", 5 * (RECORD + 1), "\23\143\11", 3); /* coarse 19, fine 99, red */
  CHECK_OK(icl_dataset_read("cifar100", file_path("."), ICL_TEST, &set));
  CHECK_EQ(set->labels[5], 99);
  CHECK_EQ(set->images[5 * 3072], 9);
  CHECK(!set->class_names);
  icl_dataset_free(set);

  char names[1024] = "";
  for (int i = 0; i < 100; i++)
    sprintf(names + strlen(names), "class%d\r\n", i);
  file_put("cifar-100-binary/fine_label_names.txt", names, strlen(names));
  CHECK_OK(icl_dataset_read("cifar100", file_path("."), ICL_TEST, &set));
  CHECK_STR(set->class_names[0], "class0");
  CHECK_STR(set->class_names[99], "class99");
  icl_dataset_free(set);

  file_put("cifar-100-binary/fine_label_names.txt", names, strlen(names) - 9);
  CHECK_ERROR(icl_dataset_read("cifar100", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
              "fine_label_names.txt: it has the names of 99 classes; cifar100 has 100");
  put_at("cifar-100-binary/test.bin", 1, "\144", 1);
  CHECK_ERROR(icl_dataset_read("cifar100", file_path("."), ICL_TEST, &set), ICL_EFORMAT,
              "byte 1 gives image 0 the label 100; they go from 0 to 99");
}

/* ---- memory ---- */

static void check_without_memory(const char *name, icl_part part) {
  icl_status status = ICL_ENOMEM;
  int allowed = 0;
  for (; status != ICL_OK; allowed++) {
    icl_dataset *set;
    size_t before = icl__memory_in_use();
    icl__alloc_fail_after(allowed);
    status = icl_dataset_read(name, file_path("."), part, &set);
    CHECK(status == ICL_OK || status == ICL_ENOMEM);
    if (status == ICL_OK)
      icl_dataset_free(set);
    else
      CHECK_CONTAINS(icl_message(), "out of memory");
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 2);
}

TEST(reading_without_memory) {
  unsigned char packed[2 * IMAGE_FILE];
  put_set(".");
  put_images(packed, compress_into(packed, sizeof packed, image_file(), IMAGE_FILE));
  check_without_memory("mnist", ICL_TRAIN);
  put_zeros("test_batch.bin", RECORDS, RECORD);
  file_put("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
  check_without_memory("cifar10", ICL_TEST);
}

/* ---- real sets, where they are at hand ---- */

/* Mean and standard deviation of the training images are those of the table. */
static void check_statistics(const char *name, const char *folder, int train, int test) {
  icl_dataset *set;
  icl_status status = icl_dataset_read(name, folder, ICL_TRAIN, &set);
  if (status == ICL_ENOENT) {
    printf("skipped: %s\n", icl_message());
    return;
  }
  CHECK_OK(status);
  CHECK_EQ(set->count, train);
  size_t pixels = (size_t)train * (size_t)(set->height * set->width);
  for (int c = 0; c < set->channels; c++) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < pixels; i++) {
      double value = set->images[i * (size_t)set->channels + (size_t)c] / 255.0;
      sum += value;
      squares += value * value;
    }
    double mean = sum / (double)pixels;
    CHECK_NEAR(mean, set->mean[c], 0.00005 + 1e-6);
    CHECK_NEAR(squares / (double)pixels - mean * mean, set->std[c] * set->std[c], 0.0001);
  }
  icl_dataset_free(set);
  CHECK_OK(icl_dataset_read(name, folder, ICL_TEST, &set));
  CHECK_EQ(set->count, test);
  icl_dataset_free(set);
}

TEST(fashion_mnist_of_the_system) { check_statistics("fashion_mnist", NULL, 60000, 10000); }

TEST(sets_in_the_folder_that_ICL_DATA_names) {
  const char *folder = getenv("ICL_DATA");
  if (!folder) {
    printf("skipped: real CIFAR and MNIST: ICL_DATA names no folder with them\n");
    return;
  }
  check_statistics("mnist", folder, 60000, 10000);
  check_statistics("cifar10", folder, 50000, 10000);
  check_statistics("cifar100", folder, 50000, 10000);
}
