/* sets.h - the image sets that are known by name: what is in them, how their files are called and where they lie. */
#ifndef ICL_DATA_SETS_H
#define ICL_DATA_SETS_H

#include "base/file.h"

typedef enum { ICL__SET_IDX, ICL__SET_CIFAR, ICL__SET_CIFAR_PYTHON } icl__set_format;

enum { ICL__SET_FILES = 5, ICL__SET_FOLDERS = 3 };

typedef struct icl__set icl__set;
struct icl__set {
  const char *name;
  icl__set_format format;
  int height, width, channels, classes;
  int records[2];  /* of CIFAR: images in a file, by icl_part */
  int label_bytes; /* of CIFAR: before the pixels of an image; the last of them is the label */
  double mean[3], std[3];
  const char *const *class_names;        /* NULL: only a file has them */
  const char *names_file;                /* that file, a name a line or a pickle; NULL: there is none */
  const char *labels_key, *names_key;    /* of pickles: what labels and class names are called */
  const char *files[2][ICL__SET_FILES];  /* by icl_part; of IDX: images, labels */
  const char *folders[ICL__SET_FOLDERS]; /* the names that their folder may have, the set's own first */
  const char *origin;                    /* where a person gets the files */
  const icl__set *other;                 /* another form of the same set; NULL: there is none */
};

/* ENOENT for a name that is not known. */
icl_status icl__set_find(const char *name, const icl__set **result);

/* The folder with the files of this part: `folder` or one below it; NULL: below the standard places. *form gets the
 * form of the set that is there: itself or its other one. */
icl_status icl__set_locate(const icl__set *set, icl_part part, const char *folder, const icl__set **form,
                           char result[ICL__PATH]);

/* The folder of the user in which sets are looked for first, and the one for what can be made again; false if there is
 * none. */
bool icl__set_home(char path[ICL__PATH]);
bool icl__set_cache(char path[ICL__PATH]);

/* The path of a file that is there, as it is or compressed with .gz behind its name. */
icl_status icl__set_file(const icl__set *set, const char *folder, const char *name, char result[ICL__PATH]);

#endif
