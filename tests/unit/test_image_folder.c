/* test_image_folder.c - image folders: what is listed in which order, and what is refused. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/folder.h"
#include "files.h"

static void put(const char *name) { file_put(name, "x", 1); }

static icl_image_folder *open_folder(void) {
  icl_image_folder *folder;
  CHECK_OK(icl_image_folder_open(file_path("set"), &folder));
  return folder;
}

/* ---- listing ---- */

TEST(classes_and_images_are_sorted) {
  static const char *const names[] = {"set/b/2.jpg",    "set/b/10.JPG",   "set/b/1.Png",     "set/B/x.jpeg",
                                      "set/a/z.jpg",    "set/a/s/1.jpg",  "set/a/s-t/1.jpg", "set/a/s/t/1.jpg",
                                      "set/b/.hid.jpg", "set/b/list.txt", "set/b/jpg"};
  static const char *const expect[] = {"B/x.jpeg",    "a/z.jpg", "a/s/1.jpg", "a/s-t/1.jpg",
                                       "a/s/t/1.jpg", "b/1.Png", "b/10.JPG",  "b/2.jpg"};
  static const int labels[] = {0, 1, 1, 1, 1, 2, 2, 2};
  file_make_folder("set/a/s/t");
  file_make_folder("set/a/s-t");
  file_make_folder("set/b");
  file_make_folder("set/B");
  file_make_folder("set/.git");
  put("set/README.txt");
  put("set/photo.jpg");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    put(names[i]);
  icl_image_folder *folder = open_folder();
  CHECK_STR(folder->path, file_path("set"));
  CHECK_EQ(folder->classes, 3);
  CHECK_STR(folder->class_names[0], "B");
  CHECK_STR(folder->class_names[2], "b");
  CHECK_EQ(folder->count, 8);
  for (int i = 0; i < 8; i++) {
    char path[256];
    CHECK_OK(icl_image_folder_file(folder, i, path, sizeof path));
    CHECK_STR(path, file_path("set/%s", expect[i]));
    CHECK_EQ(folder->labels[i], labels[i]);
  }
  char path[8];
  CHECK_ERROR(icl_image_folder_file(folder, 8, path, sizeof path), ICL_EINVAL,
              "there is no image 8; they go from 0 to 7");
  CHECK_ERROR(icl_image_folder_file(folder, 0, path, sizeof path), ICL_ENOTSUP, "path of 8 bytes");
  icl_image_folder_free(folder);
  icl_image_folder_free(NULL);
}

static void check_refused(icl_status status, const char *part) {
  icl_image_folder *folder;
  CHECK_ERROR(icl_image_folder_open(file_path("set"), &folder), status, part);
}

TEST(folders_without_images_are_refused) {
  check_refused(ICL_ENOENT, "/set: No such file or directory; images lie in a folder for each class: ");
  put("set");
  check_refused(ICL_ENOENT, "it is a file, not a folder; images lie");
  unlink(file_path("set"));
  file_make_folder("set/.hidden");
  put("set/photo.jpg");
  check_refused(ICL_ENOENT, "there is no folder in it, but images of which nothing says the class; images lie");
  file_make_folder("set/cat");
  file_make_folder("set/dog/more");
  put("set/cat/1.jpg");
  put("set/dog/more/list.txt");
  check_refused(ICL_ENOENT, "/set/dog: no image is in the folder of this class");
}

/* The names are those of torchvision; what it leaves out without a word is counted. */
TEST(formats_are_those_of_torchvision) {
  static const char *const taken[] = {"jpg", "JPEG", "png", "ppm", "bmp", "pgm", "tif", "tiff", "WebP"};
  static const char *const left_out[] = {"gif", "TGA", "psd", "pbm", "pnm"};
  char name[64];
  file_make_folder("set/cat");
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    snprintf(name, sizeof name, "set/cat/1.%s", taken[i]);
    put(name);
  }
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
    snprintf(name, sizeof name, "set/cat/2.%s", left_out[i]);
    put(name);
  }
  put("set/cat/list.txt");
  icl_image_folder *folder = open_folder();
  CHECK_EQ(folder->count, 9);
  CHECK_EQ(folder->skipped, 5);
  icl_image_folder_free(folder);
}

TEST(links_are_followed_but_not_in_circles) {
  file_make_folder("set/cat");
  file_make_folder("elsewhere");
  put("elsewhere/1.jpg");
  put("elsewhere/2.jpg");
  CHECK_EQ(symlink(file_path("elsewhere"), file_path("set/dog")), 0);
  CHECK_EQ(symlink(file_path("elsewhere/1.jpg"), file_path("set/cat/link.jpg")), 0);
  icl_image_folder *folder = open_folder();
  CHECK_EQ(folder->count, 3);
  icl_image_folder_free(folder);
  CHECK_EQ(symlink(file_path("set"), file_path("elsewhere/back")), 0);
  check_refused(ICL_ENOTSUP, "does a link lead back?");
}

/* Makes the folders of these names with an image in each. */
static void put_images(int count, const char *const *folders) {
  for (int i = 0; i < count; i++) {
    char name[128];
    file_make_folder(folders[i]);
    snprintf(name, sizeof name, "%s/1.jpg", folders[i]);
    put(name);
  }
}
#define PUT_IMAGES(...) put_images(sizeof(const char *[]){__VA_ARGS__} / sizeof(char *), (const char *[]){__VA_ARGS__})

static void start_over(void) { CHECK_EQ(rename(file_path("set"), file_path("old%d", file_count())), 0); }

TEST(a_set_one_level_too_deep_is_refused) {
  PUT_IMAGES("set/photos/cat", "set/photos/dog", "set/__MACOSX/photos/cat");
  check_refused(ICL_EINVAL, "/set: its only folder is photos, and all images lie in folders below that; if those are "
                            "the classes, give ");
  CHECK_CONTAINS(icl_message(), file_path("set/photos, one level down"));
  put("set/photos/1.jpg"); /* a class with folders in it */
  icl_image_folder_free(open_folder());
  start_over();
  PUT_IMAGES("set/train/cat");
  check_refused(ICL_EINVAL, "its only folder is train");
  PUT_IMAGES("set/val/cat", "set/train/dog");
  check_refused(ICL_EINVAL, "/set: train, val are the parts of a set, not its classes; give one of them: ");
  PUT_IMAGES("set/cat/more");
  icl_image_folder_free(open_folder());
}

TEST(a_folder_that_is_elsewhere_is_named) {
  char expected[256];
  PUT_IMAGES("set/photos/train/cat", "set/photos/train/dog");
  icl_image_folder *folder;
  snprintf(expected, sizeof expected, "/set/train: No such file or directory; it is one level further down: %s",
           file_path("set/photos/train"));
  CHECK_ERROR(icl_image_folder_open(file_path("set/train"), &folder), ICL_ENOENT, expected);
  put("set/val.zip");
  put("set/val.tar.gz");
  snprintf(expected, sizeof expected, "there is %s: if that is the set, unpack it", file_path("set/val.tar.gz"));
  CHECK_ERROR(icl_image_folder_open(file_path("set/val"), &folder), ICL_ENOENT, expected);
  CHECK_ERROR(icl_image_folder_open(file_path("set/val.zip"), &folder), ICL_ENOENT,
              "it is an archive; unpack it and give the folder that comes out");
  file_make_folder("set/validation");
  CHECK_ERROR(icl_image_folder_open(file_path("set/val"), &folder), ICL_ENOENT,
              "/set/validation: if that is meant, rename it or make a link to it");
  file_make_folder("set/only");
  put("set/only/train.zip");
  CHECK_ERROR(icl_image_folder_open(file_path("set/only"), &folder), ICL_ENOENT, "there is no folder in it, but ");
}

TEST(what_systems_leave_is_skipped_and_counted) {
  PUT_IMAGES("set/cat", "set/cat/@eaDir", "set/cat/.thumbnails", "set/dog", "set/dog/.ipynb_checkpoints",
             "set/__MACOSX/cat", "set/$RECYCLE.BIN");
  put("set/cat/._1.jpg");
  put("set/cat/.DS_Store"); /* would not be listed anyway */
  put("set/loose.png");
  icl_image_folder *folder = open_folder();
  CHECK_EQ(folder->count, 2);
  CHECK_EQ(folder->classes, 2);
  CHECK_EQ(folder->skipped, 7);
  CHECK_EQ(folder->dropped, 0);
  icl_image_folder_free(folder);
}

TEST(names_that_are_one_in_unicode) {
  static const char *const same[][2] = {{"caf\xc3\xa9", "cafe\xcc\x81"},
                                        {"\xc5\xbd\xc3\xbc", "Z\xcc\x8cu\xcc\x88"},
                                        {"\xc3\xa7\xc4\x85", "c\xcc\xa7"
                                                             "a\xcc\xa8"},
                                        {"plain", "plain"}};
  static const char *const differ[][2] = {{"caf\xc3\xa9", "caf\xc3\xa8"},   {"cafe", "cafe\xcc\x81"},
                                          {"caf\xc3\xa9", "cafe\xcc\x81s"}, {"caf\xc3\xa9", "cafe\xcc\x80"},
                                          {"a\xc3", "a\xc3\xa9"},           {"\xc3\x29", "e\xcc\x81"},
                                          {"\xe7\x8c\xab", "\xe7\x8a\xac"}};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    CHECK(icl__is_same_name(same[i][0], same[i][1]) && icl__is_same_name(same[i][1], same[i][0]));
  for (size_t i = 0; i < sizeof differ / sizeof *differ; i++)
    CHECK(!icl__is_same_name(differ[i][0], differ[i][1]) && !icl__is_same_name(differ[i][1], differ[i][0]));
  PUT_IMAGES("set/caf\xc3\xa9", "set/cafe\xcc\x81");
  check_refused(ICL_EINVAL, "in Unicode one name has two forms, of 5 and of 6 bytes; put the images into one folder");
}

TEST(folders_of_one_set_have_the_same_classes) {
  PUT_IMAGES("set/a", "set/b\xc3\xa9", "two/a", "two/be\xcc\x81", "three/a", "three/b\xc3\xa9", "three/c");
  icl_image_folder *one = open_folder(), *two, *three;
  CHECK_OK(icl_image_folder_open(file_path("two"), &two));
  CHECK_OK(icl_image_folder_open(file_path("three"), &three));
  CHECK_OK(icl_image_folder_compare(one, one));
  CHECK_ERROR(icl_image_folder_compare(one, two), ICL_EINVAL, "two forms that Unicode has for the name, of 3 and of 4");
  CHECK_ERROR(icl_image_folder_compare(one, three), ICL_EINVAL, "/three, but not in ");
  CHECK_CONTAINS(icl_message(), "class c is in ");
  icl_image_folder_free(one);
  icl_image_folder_free(two);
  icl_image_folder_free(three);
}

TEST(folders_one_after_another) {
  PUT_IMAGES("one/cat", "one/dog", "two/cat", "two/dog", "other/cat");
  icl_image_folder *one, *two, *other, *both = NULL;
  char path[4096];
  CHECK_OK(icl_image_folder_open(file_path("one"), &one));
  CHECK_OK(icl_image_folder_open(file_path("two"), &two));
  CHECK_OK(icl_image_folder_open(file_path("other"), &other));
  CHECK_OK(icl_image_folder_concat(2, (const icl_image_folder *[]){one, two}, &both));
  CHECK_OK(icl_image_folder_file(two, 1, path, sizeof path));
  icl_image_folder_free(two); /* nothing is shared */
  CHECK_EQ(both->count, 4);
  CHECK_EQ(both->classes, 2);
  CHECK_STR(both->class_names[1], "dog");
  CHECK_STR(both->path, file_path("one"));
  for (int i = 0; i < 4; i++)
    CHECK_EQ(both->labels[i], i % 2);
  char found[4096];
  CHECK_OK(icl_image_folder_file(both, 3, found, sizeof found));
  CHECK_STR(found, path);
  CHECK_ERROR(icl_image_folder_file(both, 4, path, sizeof path), ICL_EINVAL, "/one: there is no image 4");
  icl_image_folder_free(both);
  CHECK_ERROR(icl_image_folder_concat(2, (const icl_image_folder *[]){one, other}, &both), ICL_EINVAL,
              "class dog is in ");
  CHECK_ERROR(icl_image_folder_concat(0, NULL, &both), ICL_EINVAL, "there are none to put together");
  icl_image_folder_free(one);
  icl_image_folder_free(other);
}

TEST(putting_folders_together_without_memory) {
  PUT_IMAGES("set/cat");
  icl_image_folder *one = open_folder(), *both;
  size_t before = icl__memory_in_use();
  int allowed = 0;
  for (icl_status status = ICL_ENOMEM; status != ICL_OK; allowed++) {
    icl__alloc_fail_after(allowed);
    status = icl_image_folder_concat(2, (const icl_image_folder *[]){one, one}, &both);
    icl__alloc_fail_after(-1);
    if (status == ICL_OK)
      icl_image_folder_free(both);
    else
      CHECK_CONTAINS(icl_message(), "out of memory");
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 4);
  icl_image_folder_free(one);
}

TEST(names_reach_messages_escaped) {
  file_make_folder("set/c\x1b[31mat");
  check_refused(ICL_ENOENT, "/set/c\\x1b[31mat: no image is in the folder");
}

TEST(a_folder_in_the_home_folder) {
  PUT_IMAGES("set/cat", "set/dog");
  setenv("HOME", file_path("."), 1);
  icl_image_folder *folder;
  CHECK_OK(icl_image_folder_open("~/set", &folder));
  CHECK_STR(folder->path, file_path("./set"));
  icl_image_folder_free(folder);
}

TEST(listing_without_memory) {
  file_make_folder("set/cat");
  put("set/cat/1.jpg");
  size_t before = icl__memory_in_use();
  int allowed = 0;
  icl_image_folder *folder;
  for (icl_status status = ICL_ENOMEM; status != ICL_OK; allowed++) {
    icl__alloc_fail_after(allowed);
    status = icl_image_folder_open(file_path("set"), &folder);
    icl__alloc_fail_after(-1);
    if (status == ICL_OK)
      icl_image_folder_free(folder);
    else
      CHECK_CONTAINS(icl_message(), "out of memory");
    CHECK_EQ(icl__memory_in_use(), before);
  }
  CHECK(allowed > 5);
}
