/* names.c - what the names of files and folders say. */
#include <string.h>
#include <strings.h>

#include "data/folder.h"

/* Is the name in the list, capitals aside? */
static bool is_among(const char *name, const char *const *list) {
  for (; *list; list++)
    if (strcasecmp(name, *list) == 0)
      return true;
  return false;
}

/* Does the name end in one of these suffixes, capitals aside? */
static bool ends_in(const char *name, const char *const *suffixes) {
  size_t length = strlen(name);
  for (; *suffixes; suffixes++) {
    size_t bytes = strlen(*suffixes);
    if (length > bytes && strcasecmp(name + length - bytes, *suffixes) == 0)
      return true;
  }
  return false;
}

bool icl__is_system_folder(const char *name) {
  static const char *const names[] = {
      "@eaDir", "__MACOSX", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", NULL};
  return is_among(name, names);
}

bool icl__is_part_name(const char *name) {
  static const char *const names[] = {"train", "training", "val", "valid", "validation", "test", "testing", NULL};
  return is_among(name, names);
}

bool icl__is_image_name(const char *name) {
  static const char *const suffixes[] = {".jpg", ".jpeg", ".png",  ".ppm",  ".bmp",
                                         ".pgm", ".tif",  ".tiff", ".webp", NULL};
  return ends_in(name, suffixes);
}

bool icl__is_other_image_name(const char *name) {
  static const char *const suffixes[] = {".gif", ".tga", ".psd", ".pbm", ".pnm", NULL};
  return ends_in(name, suffixes);
}

bool icl__is_archive(const char *path) {
  static const char *const suffixes[] = {".zip",    ".tar",     ".tar.gz", ".tgz", ".tar.bz2",
                                         ".tar.xz", ".tar.zst", ".7z",     ".rar", NULL};
  return ends_in(path, suffixes);
}

/* ---- names in Unicode ---- */

enum { FIRST_LETTER = 0xc0, LAST_LETTER = 0x17f, FIRST_MARK = 0x300 };

/* Of each letter from FIRST_LETTER on: the one without its accent, and the accent as a letter of `marks`; a space where
 * there is no accent. */
static const char plain[] = "AAAAAA CEEEEIIII NOOOOO  UUUUY  aaaaaa ceeeeiiii nooooo  uuuuy y"
                            "AaAaAaCcCcCcCcDd  EeEeEeEeEeGgGgGgGgHh  IiIiIiIiI   JjKk LlLlLl "
                            "   NnNnNn   OoOoOo  RrRrRrSsSsSsSsTtTt  UuUuUuUuUuUuWwYyYZzZzZz ";
static const char accents[] = "gactur ,gacugacu tgactu  gacua  gactur ,gacugacu tgactu  gacua u"
                              "mmbbooaaccddvvvv  mmbbddoovvccbbdd,,cc  ttmmbbood   cc,, aa,,vv "
                              "   aa,,vv   mmbbhh  aa,,vvaacc,,vv,,vv  ttmmbbrrhhooccccuaaddvv ";
/* Accents from FIRST_MARK on: grave, acute, circumflex, tilde, macron, breve, dot, umlaut, ring, double acute, caron,
 * cedilla, ogonek. */
static const char marks[] = "gactm bdu rhv"
                            "                          "
                            ",o";

/* A name that is read byte by byte as if every accent were a character of its own. */
typedef struct {
  const unsigned char *next;
  int accent; /* that comes before next; 0: none */
} reader;

/* The character of two bytes in UTF-8 that begins here; 0 if none does. */
static int two_bytes(const unsigned char *text) {
  bool there = (text[0] & 0xe0) == 0xc0 && (text[1] & 0xc0) == 0x80;
  return there ? (text[0] & 0x1f) << 6 | (text[1] & 0x3f) : 0;
}

/* The next byte, or -c for the accent c of `marks`; 0 at the end. */
static int read_byte(reader *r) {
  int accent = r->accent, character = two_bytes(r->next);
  r->accent = 0;
  if (accent)
    return -accent;
  if (character >= FIRST_LETTER && character <= LAST_LETTER && accents[character - FIRST_LETTER] != ' ') {
    r->next += 2;
    r->accent = accents[character - FIRST_LETTER];
    return plain[character - FIRST_LETTER];
  }
  int mark = character - FIRST_MARK;
  if (mark >= 0 && mark < (int)sizeof marks - 1 && marks[mark] != ' ') {
    r->next += 2;
    return -marks[mark];
  }
  return *r->next ? *r->next++ : 0;
}

bool icl__is_same_name(const char *a, const char *b) {
  reader x = {(const unsigned char *)a, 0}, y = {(const unsigned char *)b, 0};
  for (;;) {
    int byte = read_byte(&x);
    if (byte != read_byte(&y))
      return false;
    if (byte == 0)
      return true;
  }
}

/* Is there an accent that is a character of its own? Of two forms of one name, one has it. */
static bool has_mark(const char *name) {
  for (const unsigned char *c = (const unsigned char *)name; *c; c++)
    if (c[0] == 0xcc || c[0] == 0xcd)
      return true;
  return false;
}

icl_status icl__class_names_check(const char *path, int classes, const char *const *names) {
  for (int i = 0; i < classes; i++)
    for (int j = 0; has_mark(names[i]) && j < classes; j++)
      if (i != j && icl__is_same_name(names[i], names[j]))
        return icl__fail(ICL_EINVAL,
                         "%s: two of its classes are called %s: in Unicode one name has two forms, of %zu and of %zu "
                         "bytes; put the images into one folder",
                         path, names[i], strlen(names[j]), strlen(names[i]));
  return ICL_OK;
}

/* ---- two folders ---- */

/* A class of `a` that `b` has not, maybe under another form of its name; -1: there is none. Names are sorted. */
static int lacking(const icl_image_folder *a, const icl_image_folder *b) {
  int j = 0;
  for (int i = 0; i < a->classes; i++) {
    while (j < b->classes && strcmp(b->class_names[j], a->class_names[i]) < 0)
      j++;
    if (j == b->classes || strcmp(b->class_names[j], a->class_names[i]) != 0)
      return i;
  }
  return -1;
}

static icl_status check_lacking(const icl_image_folder *a, const icl_image_folder *b) {
  int i = lacking(a, b);
  if (i < 0)
    return ICL_OK;
  const char *name = a->class_names[i];
  for (int j = 0; j < b->classes; j++)
    if (icl__is_same_name(name, b->class_names[j]))
      return icl__fail(ICL_EINVAL,
                       "class %s is in %s and in %s, but in two forms that Unicode has for the name, of %zu and of %zu "
                       "bytes; rename one",
                       name, a->path, b->path, strlen(name), strlen(b->class_names[j]));
  return icl__fail(ICL_EINVAL, "class %s is in %s, but not in %s; both need the same", name, a->path, b->path);
}

icl_status icl_image_folder_compare(const icl_image_folder *a, const icl_image_folder *b) {
  ICL__TRY(check_lacking(a, b));
  return check_lacking(b, a);
}
