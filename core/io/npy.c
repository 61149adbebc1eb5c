/* npy.c - one array as numpy keeps it in a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shape.h"
#include "base/text.h"
#include "io/npz.h"
#include "io/safetensors.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, PREFIX_1 = 10, PREFIX_2 = 12, ALIGNMENT = 64, MAX_HEADER = 1 << 16 };

/* What numpy calls the dtypes; NULL: it has none. */
static const char *const descriptions[ICL_DTYPE_COUNT] = {
    [ICL_F32] = "<f4", [ICL_F16] = "<f2", [ICL_F64] = "<f8",  [ICL_U8] = "|u1",
    [ICL_I32] = "<i4", [ICL_I64] = "<i8", [ICL_BOOL] = "|b1", [ICL_BF16] = NULL,
};

/* ---- texts ---- */

static bool continues(const unsigned char *text, int count) {
  for (int i = 1; i <= count; i++)
    if ((text[i] & 0xc0) != 0x80)
      return false;
  return true;
}

/* The code point that *text begins with, which is moved behind it; -1 if it is not UTF-8. */
static int32_t take_code_point(const unsigned char **text) {
  static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *t = *text;
  int more = t[0] < 0x80 ? 0 : t[0] >> 5 == 6 ? 1 : t[0] >> 4 == 14 ? 2 : t[0] >> 3 == 30 ? 3 : -1;
  if (more < 0 || !continues(t, more))
    return -1;
  int32_t code = more ? t[0] & (0x3f >> more) : t[0];
  for (int i = 1; i <= more; i++)
    code = code << 6 | (t[i] & 0x3f);
  *text += more + 1;
  bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < least[more] || code > 0x10ffff || surrogate ? -1 : code;
}

/* Appends a code point; returns the place behind it. */
static char *put_code_point(char *to, uint32_t code) {
  int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  *to++ = (char)(first[more] | code >> 6 * more);
  while (more--)
    *to++ = (char)(0x80 | (code >> 6 * more & 0x3f));
  return to;
}

static size_t text_count(const icl__npy *array) { return (size_t)icl__count(array->array.rank, array->array.shape); }

/* The code points of the longest text. */
static icl_status longest_text(const icl__npy *array, size_t *longest) {
  *longest = 1; /* numpy knows no empty ones */
  for (size_t i = 0; i < text_count(array); i++) {
    size_t length = 0;
    for (const unsigned char *t = (const unsigned char *)array->texts[i]; *t; length++)
      if (take_code_point(&t) < 0)
        return icl__fail(ICL_EINVAL, "text %zu is not UTF-8: '%.80s'", i + 1, array->texts[i]);
    if (length > *longest)
      *longest = length;
  }
  return ICL_OK;
}

static void store_texts(const icl__npy *array, size_t longest, char *to) {
  memset(to, 0, text_count(array) * longest * 4);
  for (size_t i = 0; i < text_count(array); i++) {
    char *place = to + i * longest * 4;
    for (const unsigned char *t = (const unsigned char *)array->texts[i]; *t; place += 4) {
      int32_t code = take_code_point(&t);
      memcpy(place, &code, 4);
    }
  }
}

/* One text of `longest` code points at `from` as UTF-8 at `to`; -> the place behind its 0, or NULL. */
static char *load_text(const unsigned char *from, size_t longest, char *to) {
  uint32_t code;
  size_t length = longest;
  for (; length; length--) {
    memcpy(&code, from + 4 * (length - 1), 4);
    if (code)
      break;
  }
  for (size_t i = 0; i < length; i++) {
    memcpy(&code, from + 4 * i, 4);
    if (!code || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      return NULL;
    to = put_code_point(to, code);
  }
  *to = '\0';
  return to + 1;
}

/* The pointers and, behind them, the texts. */
static icl_status load_texts(const char *what, const unsigned char *from, size_t longest, icl__npy *result) {
  size_t count = text_count(result);
  char **texts = icl__alloc(count * (sizeof *texts + 4 * longest + 1) + 1, 1);
  if (!texts)
    return icl__wrap(ICL_ENOMEM, "%s", what);
  char *to = (char *)(texts + count);
  for (size_t i = 0; i < count; i++) {
    texts[i] = to;
    if (!(to = load_text(from + 4 * longest * i, longest, to))) {
      icl__free(texts);
      return icl__fail(ICL_EFORMAT, "%s: text %zu is not Unicode, or has a zero in it", what, i + 1);
    }
  }
  result->texts = (const char *const *)texts;
  return ICL_OK;
}

void icl__npy_release(icl__npy *array) {
  icl__free((void *)array->texts);
  array->texts = NULL;
}

/* ---- writing ---- */

static void say_header(icl__text *text, const icl__npy *array, const char *description) {
  icl__say(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", description);
  for (int i = 0; i < array->array.rank; i++)
    icl__say(text, i ? " %d," : "%d,", (int)array->array.shape[i]);
  if (array->array.rank > 1 && text->status == ICL_OK)
    text->text[--text->used] = '\0'; /* only a tuple of one ends with a comma */
  icl__say(text, "), }");
}

static icl_status describe(const icl__npy *array, size_t longest, char description[32]) {
  if (array->texts) {
    snprintf(description, 32, "<U%zu", longest);
    return ICL_OK;
  }
  ICL__TRY(icl__check_dtype("npy", array->array.dtype));
  const char *name = descriptions[array->array.dtype];
  if (!name)
    return icl__fail(ICL_EINVAL, "numpy has no %s; cast it to f32", icl_dtype_name(array->array.dtype));
  snprintf(description, 32, "%s", name);
  return ICL_OK;
}

icl_status icl__npy_start(const icl__npy *array, char **start, size_t *bytes) {
  size_t longest = 0;
  char description[32];
  if (array->texts)
    ICL__TRY(longest_text(array, &longest));
  ICL__TRY(describe(array, longest, description));
  icl__text header = {0};
  say_header(&header, array, description);
  if (header.status != ICL_OK)
    return header.status;
  size_t before = (PREFIX_1 + header.used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t after = array->texts ? text_count(array) * longest * 4 : 0;
  char *file = icl__alloc(before + after, 1);
  if (file) {
    size_t length = before - PREFIX_1;
    memset(file, ' ', before);
    memcpy(file, magic, MAGIC);
    memcpy(file + MAGIC, (char[]){1, 0, (char)(length & 0xff), (char)(length >> 8)}, 4);
    memcpy(file + PREFIX_1, header.text, header.used);
    file[before - 1] = '\n';
    if (array->texts)
      store_texts(array, longest, file + before);
    *start = file;
    *bytes = before + after;
  }
  icl__free(header.text);
  return file ? ICL_OK : ICL_ENOMEM;
}

/* ---- reading: the header ---- */

/* What is left of it. */
typedef struct {
  const char *what, *at, *end;
  char description[32];
  bool fortran, has_description, has_order, has_shape;
  int rank;
  int32_t shape[ICL_MAX_RANK];
} header;

static icl_status damaged(const header *h, const char *expected) {
  return icl__fail(ICL_EFORMAT, "%s: the header of the array is damaged: there should be %s at '%.*s'", h->what,
                   expected, h->end - h->at < 20 ? (int)(h->end - h->at) : 20, h->at);
}

/* Takes `text`, and spaces before it, if it is there. */
static bool take(header *h, const char *text) {
  size_t length = strlen(text);
  while (h->at < h->end && (*h->at == ' ' || *h->at == '\n'))
    h->at++;
  if ((size_t)(h->end - h->at) < length || memcmp(h->at, text, length) != 0)
    return false;
  h->at += length;
  return true;
}

static icl_status take_string(header *h, char *text, size_t room) {
  if (take(h, "["))
    return icl__fail(ICL_ENOTSUP, "%s: an array of records; save each field as an array of its own", h->what);
  const char *quote = take(h, "'") ? "'" : take(h, "\"") ? "\"" : NULL;
  const char *end = quote ? memchr(h->at, *quote, (size_t)(h->end - h->at)) : NULL;
  if (!end || (size_t)(end - h->at) >= room)
    return damaged(h, "a short text");
  memcpy(text, h->at, (size_t)(end - h->at));
  text[end - h->at] = '\0';
  h->at = end + 1;
  return ICL_OK;
}

static icl_status take_size(header *h, int32_t *size) {
  int64_t value = 0;
  const char *first = h->at;
  while (h->at < h->end && *h->at >= '0' && *h->at <= '9' && value <= INT32_MAX)
    value = 10 * value + (*h->at++ - '0');
  if (h->at == first || value > INT32_MAX)
    return damaged(h, "a size below 2^31");
  *size = (int32_t)value;
  return ICL_OK;
}

static icl_status take_shape(header *h) {
  if (!take(h, "("))
    return damaged(h, "a tuple");
  for (h->rank = 0; !take(h, ")"); h->rank++) {
    if (h->rank && !take(h, ","))
      return damaged(h, "a comma");
    if (h->rank && take(h, ")"))
      return ICL_OK;
    if (h->rank == ICL_MAX_RANK)
      return icl__fail(ICL_ENOTSUP, "%s: the array has more than %d axes", h->what, ICL_MAX_RANK);
    take(h, "");
    ICL__TRY(take_size(h, &h->shape[h->rank]));
  }
  return ICL_OK;
}

static icl_status take_entry(header *h) {
  char key[32];
  ICL__TRY(take_string(h, key, sizeof key));
  if (!take(h, ":"))
    return damaged(h, "a colon");
  if (!strcmp(key, "descr") && !h->has_description) {
    h->has_description = true;
    return take_string(h, h->description, sizeof h->description);
  }
  if (!strcmp(key, "fortran_order") && !h->has_order) {
    h->has_order = true;
    h->fortran = take(h, "True");
    return h->fortran || take(h, "False") ? ICL_OK : damaged(h, "True or False");
  }
  if (!strcmp(key, "shape") && !h->has_shape) {
    h->has_shape = true;
    return take_shape(h);
  }
  return icl__fail(ICL_EFORMAT, "%s: the header of the array has '%s', which does not belong there", h->what, key);
}

static icl_status take_header(header *h) {
  if (!take(h, "{"))
    return damaged(h, "{");
  while (!take(h, "}")) {
    ICL__TRY(take_entry(h));
    take(h, ",");
  }
  take(h, "");
  if (h->at != h->end)
    return damaged(h, "its end");
  if (!h->has_description || !h->has_order || !h->has_shape)
    return icl__fail(ICL_EFORMAT, "%s: the header of the array lacks descr, fortran_order or shape", h->what);
  if (h->fortran && h->rank > 1)
    return icl__fail(ICL_ENOTSUP, "%s: the array is in Fortran's order; save numpy.ascontiguousarray of it", h->what);
  return ICL_OK;
}

/* ---- reading: the elements ---- */

/* The code points of a text of "<U7"; 0: it is not that. */
static size_t text_length(const char *description) {
  char *end;
  if (strncmp(description, "<U", 2) != 0 || description[2] < '1' || description[2] > '9')
    return 0;
  unsigned long length = strtoul(description + 2, &end, 10);
  return *end || length > 1 << 20 ? 0 : length;
}

static icl_status find_dtype(const header *h, icl_dtype *dtype) {
  for (int i = 0; i < ICL_DTYPE_COUNT; i++)
    if (descriptions[i] && !strcmp(descriptions[i], h->description)) {
      *dtype = (icl_dtype)i;
      return ICL_OK;
    }
  const char *reason = strchr(h->description, 'O') ? "objects, which are pickles and never read"
                       : *h->description == '>'    ? "its bytes are in big-endian order"
                                                   : "icl reads f2, f4, f8, i4, i8, u1, b1 and U";
  return icl__fail(ICL_ENOTSUP, "%s: an array of dtype '%s': %s", h->what, h->description, reason);
}

/* The data is there as a whole, and bools are bools. */
static icl_status check_data(const header *h, const unsigned char *data, size_t have, size_t element) {
  int64_t count = icl__bounded_count(h->rank, h->shape);
  if (count > ICL__MAX_COUNT || (size_t)count * element != have)
    return icl__fail(ICL_EFORMAT, "%s: the array has %zu bytes of data, which its shape and dtype '%s' do not fill",
                     h->what, have, h->description);
  for (size_t i = 0; i < have && !strcmp(h->description, descriptions[ICL_BOOL]); i++)
    if (data[i] > 1)
      return icl__fail(ICL_EFORMAT, "%s: element %zu is %d; a bool is 0 or 1", h->what, i, data[i]);
  return ICL_OK;
}

static icl_status find_header(const char *what, const unsigned char *file, size_t bytes, header *h) {
  if (bytes < PREFIX_2 || memcmp(file, magic, MAGIC) != 0)
    return icl__fail(ICL_EFORMAT, "%s: no array of numpy: it does not begin as one", what);
  int version = file[MAGIC];
  if (version < 1 || version > 3)
    return icl__fail(ICL_ENOTSUP, "%s: an array in version %d of the format; icl reads 1 to 3", what, version);
  size_t start = version == 1 ? PREFIX_1 : PREFIX_2, length = (size_t)file[8] | (size_t)file[9] << 8;
  if (version > 1)
    length |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
  if (length > MAX_HEADER || length > bytes - start)
    return icl__fail(ICL_EFORMAT, "%s: the array is cut, or its header of %zu bytes is damaged", what, length);
  *h = (header){.what = what, .at = (const char *)file + start, .end = (const char *)file + start + length};
  return ICL_OK;
}

icl_status icl__npy_parse(const char *what, const unsigned char *file, size_t bytes, icl__npy *result) {
  header h;
  *result = (icl__npy){0};
  ICL__TRY(find_header(what, file, bytes, &h));
  const unsigned char *data = (const unsigned char *)h.end;
  size_t have = bytes - (size_t)(data - file);
  ICL__TRY(take_header(&h));
  result->array.rank = h.rank;
  memcpy(result->array.shape, h.shape, (size_t)h.rank * sizeof *h.shape);
  size_t length = text_length(h.description);
  if (length) {
    ICL__TRY(check_data(&h, data, have, 4 * length));
    if (h.rank > 1)
      return icl__fail(ICL_ENOTSUP, "%s: texts in %d axes; icl reads one text or a list of them", what, h.rank);
    return load_texts(what, data, length, result);
  }
  ICL__TRY(find_dtype(&h, &result->array.dtype));
  result->array.data = data;
  return check_data(&h, data, have, icl_dtype_bytes(result->array.dtype));
}
