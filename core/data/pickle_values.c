/* pickle_values.c - the values of a pickle, and the few things of numpy that arrays are made by. */
#include "data/pickle_values.h"

#include <string.h>

#include "base/memory.h"

/* ---- values ---- */

icl_status icl__value_new(icl__pickle *p, icl__value value, int *number) {
  if (p->count >= INT32_MAX)
    return icl__fail(ICL_EFORMAT, "%s: a pickle of more than %d values", p->path, INT32_MAX);
  icl__value *values = icl__grow(p->values, &p->capacity, p->count + 1, sizeof *values);
  if (!values)
    return icl__wrap(ICL_ENOMEM, "%s", p->path);
  p->values = values;
  value.next = -1;
  *number = (int)p->count;
  values[p->count++] = value;
  return ICL_OK;
}

int icl__value_target(const icl__pickle *p, int value) {
  return p->values[value].kind == ICL__ALIAS ? p->values[value].target : value;
}

icl_status icl__value_append(icl__pickle *p, int to, int item) {
  icl__value *list = &p->values[to];
  if (list->count == INT32_MAX)
    return icl__fail(ICL_EFORMAT, "%s: a list of more than %d items", p->path, INT32_MAX);
  if (list->count++ == 0)
    list->first = item;
  else
    p->values[list->last].next = item;
  list->last = item;
  return ICL_OK;
}

void icl__pickle_free(icl__pickle *p) {
  if (!p)
    return;
  icl__free(p->values);
  icl__free(p->stack);
  icl__free(p->memo);
  icl__free(p->decoded);
  icl__free(p);
}

/* ---- asking for values ---- */

/* The value, behind an alias, if there is one and it is of this kind. */
static const icl__value *find(const icl__pickle *p, int value, icl__kind kind) {
  const icl__value *found = value >= 0 ? &p->values[icl__value_target(p, value)] : NULL;
  return found && found->kind == kind ? found : NULL;
}

icl__pickle_value icl__pickle_root(const icl__pickle *p) { return p->root; }

static bool is_text(const icl__pickle *p, int value, const char *text) {
  const icl__value *found = find(p, value, ICL__TEXT);
  return found && found->length == strlen(text) && memcmp(found->text, text, found->length) == 0;
}

/* Of two values of a key the last one counts. */
icl__pickle_value icl__pickle_get(const icl__pickle *p, icl__pickle_value dictionary, const char *key) {
  const icl__value *d = find(p, dictionary, ICL__DICTIONARY);
  int found = -1;
  for (int item = d ? d->first : -1; item >= 0; item = p->values[p->values[item].next].next)
    if (is_text(p, item, key))
      found = p->values[item].next;
  return found;
}

int icl__pickle_count(const icl__pickle *p, icl__pickle_value list) {
  const icl__value *found = find(p, list, ICL__LIST);
  return found ? found->count : -1;
}

icl__pickle_value icl__pickle_first(const icl__pickle *p, icl__pickle_value list) {
  const icl__value *found = find(p, list, ICL__LIST);
  return found ? found->first : -1;
}

icl__pickle_value icl__pickle_next(const icl__pickle *p, icl__pickle_value item) { return p->values[item].next; }

bool icl__pickle_integer(const icl__pickle *p, icl__pickle_value value, int64_t *result) {
  const icl__value *found = find(p, value, ICL__INTEGER);
  if (found)
    *result = found->integer;
  return found;
}

bool icl__pickle_text(const icl__pickle *p, icl__pickle_value value, const unsigned char **text, size_t *bytes) {
  const icl__value *found = find(p, value, ICL__TEXT);
  if (found) {
    *text = found->text;
    *bytes = found->length;
  }
  return found;
}

bool icl__pickle_array(const icl__pickle *p, icl__pickle_value value, icl__pickle_matrix *result) {
  const icl__value *found = find(p, value, ICL__ARRAY);
  if (found)
    *result = found->matrix;
  return found;
}

/* ---- names ---- */

/* numpy moved its modules once. */
static const struct {
  const char *module, *name;
  icl__function function;
} functions[] = {
    {"numpy.core.multiarray", "_reconstruct", ICL__RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", ICL__RECONSTRUCT},
    {"numpy.core.numeric", "_frombuffer", ICL__FROMBUFFER},
    {"numpy._core.numeric", "_frombuffer", ICL__FROMBUFFER},
    {"numpy", "ndarray", ICL__NDARRAY},
    {"numpy", "dtype", ICL__DTYPE_CLASS},
    {"_codecs", "encode", ICL__ENCODE},
};

static bool is_name(const unsigned char *text, size_t length, const char *name) {
  return length == strlen(name) && memcmp(text, name, length) == 0;
}

/* How much of a name a message shows. */
static int shown(size_t length) { return length < 80 ? (int)length : 80; }

icl_status icl__value_global(icl__pickle *p, const unsigned char *module, size_t module_length,
                             const unsigned char *name, size_t name_length, int *number) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (is_name(module, module_length, functions[i].module) && is_name(name, name_length, functions[i].name))
      return icl__value_new(p, (icl__value){.kind = ICL__FUNCTION, .function = functions[i].function}, number);
  return icl__fail(ICL_EFORMAT,
                   "%s: byte %zu asks for %.*s.%.*s; an image set has no such thing, and nothing of it is "
                   "executed",
                   p->path, p->at, shown(module_length), (const char *)module, shown(name_length), (const char *)name);
}

/* ---- calls ---- */

static icl_status bad_array(const icl__pickle *p, const char *what) {
  return icl__fail(ICL_EFORMAT, "%s: the array before byte %zu %s", p->path, p->at, what);
}

/* The items of a tuple of exactly `count`. */
static bool unpack(const icl__pickle *p, int tuple, int count, int *items) {
  const icl__value *t = find(p, tuple, ICL__TUPLE);
  if (!t || t->count != count)
    return false;
  for (int i = 0, item = t->first; i < count; i++, item = p->values[item].next)
    items[i] = icl__value_target(p, item);
  return true;
}

static bool is_function(const icl__pickle *p, int value, icl__function function) {
  const icl__value *found = find(p, value, ICL__FUNCTION);
  return found && found->function == function;
}

/* The matrix of these bytes, row after row or column after column. */
static icl_status make_matrix(const icl__pickle *p, int shape, int dtype, bool by_column, int bytes,
                              icl__pickle_matrix *m) {
  int size[2];
  int64_t rows, columns, elements;
  const unsigned char *data;
  size_t length;
  if (!unpack(p, shape, 2, size) || !icl__pickle_integer(p, size[0], &rows) ||
      !icl__pickle_integer(p, size[1], &columns))
    return bad_array(p, "has not two axes; images are rows of a matrix");
  if (!find(p, dtype, ICL__DTYPE))
    return bad_array(p, "has no dtype");
  if (!icl__pickle_text(p, bytes, &data, &length))
    return bad_array(p, "has no bytes");
  if (rows < 0 || columns < 0 || __builtin_mul_overflow(rows, columns, &elements) || (uint64_t)elements != length)
    return icl__fail(ICL_EFORMAT, "%s: the array before byte %zu is %lld x %lld, but has %zu bytes", p->path, p->at,
                     (long long)rows, (long long)columns, length);
  *m = (icl__pickle_matrix){data, rows, columns, by_column ? 1 : columns, by_column ? rows : 1};
  return ICL_OK;
}

static icl_status make_dtype(icl__pickle *p, int arguments, int *result) {
  int items[3];
  const unsigned char *name;
  size_t length;
  if (!unpack(p, arguments, 3, items) || !icl__pickle_text(p, items[0], &name, &length))
    return bad_array(p, "has no dtype");
  if (!is_text(p, items[0], "u1"))
    return icl__fail(ICL_EFORMAT, "%s: the array at byte %zu has elements of numpy's type %.*s; images are bytes, u1",
                     p->path, p->at, shown(length), (const char *)name);
  return icl__value_new(p, (icl__value){.kind = ICL__DTYPE}, result);
}

/* An array without contents, which come with its state. */
static icl_status reconstruct(icl__pickle *p, int arguments, int *result) {
  int items[3];
  if (!unpack(p, arguments, 3, items) || !is_function(p, items[0], ICL__NDARRAY))
    return bad_array(p, "is of a class that is not numpy's ndarray");
  return icl__value_new(p, (icl__value){.kind = ICL__ARRAY}, result);
}

static icl_status from_buffer(icl__pickle *p, int arguments, int *result) {
  int items[4];
  icl__value array = {.kind = ICL__ARRAY};
  if (!unpack(p, arguments, 4, items))
    return bad_array(p, "has not the four parts of a buffer");
  if (!is_text(p, items[3], "C") && !is_text(p, items[3], "F"))
    return bad_array(p, "has an order that is neither C nor F");
  ICL__TRY(make_matrix(p, items[2], items[1], is_text(p, items[3], "F"), items[0], &array.matrix));
  return icl__value_new(p, array, result);
}

/* Python 3 writes bytes for Python 2 as a text with a character for each, in UTF-8. */
static icl_status encode(icl__pickle *p, int arguments, int *result) {
  int items[2];
  const unsigned char *text;
  size_t length, used = 0;
  if (!unpack(p, arguments, 2, items) || !icl__pickle_text(p, items[0], &text, &length) ||
      !is_text(p, items[1], "latin1"))
    return bad_array(p, "has bytes in an encoding that is not latin1");
  if (!p->decoded && !(p->decoded = icl__alloc(p->bytes, 1)))
    return icl__wrap(ICL_ENOMEM, "%s", p->path);
  if (length > p->bytes - p->decoded_bytes)
    return bad_array(p, "repeats bytes; each is used once");
  unsigned char *bytes = p->decoded + p->decoded_bytes;
  for (size_t i = 0; i < length; used++) {
    bool is_pair = (text[i] & 0xfe) == 0xc2 && i + 1 < length && (text[i + 1] & 0xc0) == 0x80;
    if (text[i] >= 0x80 && !is_pair)
      return bad_array(p, "has text that is not latin1");
    bytes[used] = (unsigned char)(is_pair ? text[i] << 6 | (text[i + 1] & 0x3f) : text[i]);
    i += is_pair ? 2 : 1;
  }
  p->decoded_bytes += used;
  return icl__value_new(p, (icl__value){.kind = ICL__TEXT, .text = bytes, .length = used}, result);
}

icl_status icl__value_call(icl__pickle *p, int function, int arguments, int *result) {
  if (is_function(p, function, ICL__RECONSTRUCT))
    return reconstruct(p, arguments, result);
  if (is_function(p, function, ICL__FROMBUFFER))
    return from_buffer(p, arguments, result);
  if (is_function(p, function, ICL__DTYPE_CLASS))
    return make_dtype(p, arguments, result);
  if (is_function(p, function, ICL__ENCODE))
    return encode(p, arguments, result);
  return icl__fail(ICL_EFORMAT, "%s: damaged at byte %zu: what is called is no function", p->path, p->at);
}

/* Of an array: version, shape, dtype, whether it lies by columns, bytes. That of a dtype says how it is aligned and in
 * which order its bytes are, of which u1 has one. */
icl_status icl__value_set_state(icl__pickle *p, int object, int state) {
  int items[5];
  int64_t by_column;
  if (find(p, object, ICL__DTYPE) && find(p, state, ICL__TUPLE))
    return ICL_OK;
  if (!find(p, object, ICL__ARRAY) || !unpack(p, state, 5, items) || !icl__pickle_integer(p, items[3], &by_column))
    return icl__fail(ICL_EFORMAT, "%s: damaged at byte %zu: this state is not that of an array", p->path, p->at);
  return make_matrix(p, items[1], items[2], by_column != 0, items[4], &p->values[object].matrix);
}
