/* pickle.c - the machine that builds the values of a pickle; see pickle.h. */
#include "data/pickle.h"

#include <string.h>

#include "base/memory.h"

/* ---- reading the program ---- */

static icl_status cut(const icl__pickle *p) {
  return icl__fail(ICL_EFORMAT, "%s: it is cut: an instruction ends behind byte %zu", p->path, p->bytes);
}

static icl_status wrong(const icl__pickle *p, const char *what) {
  return icl__fail(ICL_EFORMAT, "%s: damaged at byte %zu: %s", p->path, p->at, what);
}

/* The next `bytes` bytes. */
static icl_status take(icl__pickle *p, uint64_t bytes, const unsigned char **data) {
  if (bytes > p->bytes - p->position)
    return cut(p);
  *data = p->data + p->position;
  p->position += (size_t)bytes;
  return ICL_OK;
}

/* A little-endian number of `bytes` bytes. */
static icl_status take_number(icl__pickle *p, int bytes, uint64_t *number) {
  const unsigned char *data = NULL;
  ICL__TRY(take(p, (uint64_t)bytes, &data));
  *number = 0;
  for (int i = 0; i < bytes; i++)
    *number |= (uint64_t)data[i] << (8 * i);
  return ICL_OK;
}

/* A line without its end. */
static icl_status take_line(icl__pickle *p, const unsigned char **line, size_t *length) {
  const unsigned char *start = p->data + p->position, *end = memchr(start, '\n', p->bytes - p->position);
  if (!end)
    return cut(p);
  *line = start;
  *length = (size_t)(end - start);
  p->position += *length + 1;
  return ICL_OK;
}

/* ---- the stack: numbers of values; a mark is negative ---- */

enum { MARK = -1 };

static icl_status push(icl__pickle *p, int value) {
  int *stack = icl__grow(p->stack, &p->stack_capacity, p->depth + 1, sizeof *stack);
  if (!stack)
    return icl__wrap(ICL_ENOMEM, "%s", p->path);
  p->stack = stack;
  stack[p->depth++] = value;
  return ICL_OK;
}

static icl_status push_new(icl__pickle *p, icl__value value) {
  int number;
  ICL__TRY(icl__value_new(p, value, &number));
  return push(p, number);
}

static icl_status pop(icl__pickle *p, int *value) {
  if (p->depth == 0 || p->stack[p->depth - 1] == MARK)
    return wrong(p, "a value is missing on the stack");
  *value = p->stack[--p->depth];
  return ICL_OK;
}

static icl_status top(icl__pickle *p, icl__kind kind, int *value) {
  ICL__TRY(pop(p, value));
  p->depth++;
  *value = icl__value_target(p, *value);
  return p->values[*value].kind == kind ? ICL_OK : wrong(p, "a value is of the wrong kind");
}

/* Where the last mark is. */
static icl_status find_mark(icl__pickle *p, size_t *mark) {
  for (size_t i = p->depth; i-- > 0;)
    if (p->stack[i] == MARK) {
      *mark = i;
      return ICL_OK;
    }
  return wrong(p, "a mark is missing on the stack");
}

/* The values on the stack from `first` on become the last ones of a list, tuple or dictionary. */
static icl_status append(icl__pickle *p, int to, size_t first) {
  for (size_t i = first; i < p->depth; i++)
    ICL__TRY(icl__value_append(p, to, p->stack[i]));
  return ICL_OK;
}

/* ---- instructions that build ---- */

/* A tuple of the values from `first` on; `below` of them more go with it: the mark. */
static icl_status make_tuple(icl__pickle *p, size_t first, size_t below) {
  int tuple;
  for (size_t i = first; i < p->depth; i++)
    if (p->stack[i] == MARK)
      return wrong(p, "a value is missing on the stack");
  ICL__TRY(icl__value_new(p, (icl__value){.kind = ICL__TUPLE, .first = -1, .last = -1}, &tuple));
  ICL__TRY(append(p, tuple, first));
  p->depth = first - below;
  return push(p, tuple);
}

static icl_status make_small_tuple(icl__pickle *p, size_t count) {
  return p->depth < count ? wrong(p, "a value is missing on the stack") : make_tuple(p, p->depth - count, 0);
}

static icl_status make_marked_tuple(icl__pickle *p) {
  size_t mark = 0;
  ICL__TRY(find_mark(p, &mark));
  return make_tuple(p, mark + 1, 1);
}

/* Into the list or dictionary below the mark. */
static icl_status add_marked(icl__pickle *p, icl__kind kind) {
  size_t mark = 0, depth = p->depth;
  int to;
  ICL__TRY(find_mark(p, &mark));
  if (kind == ICL__DICTIONARY && (depth - mark - 1) % 2)
    return wrong(p, "a key has no value");
  p->depth = mark;
  ICL__TRY(top(p, kind, &to));
  p->depth = depth;
  ICL__TRY(append(p, to, mark + 1));
  p->depth = mark;
  return ICL_OK;
}

/* The same for the last `count` values. */
static icl_status add_last(icl__pickle *p, icl__kind kind, size_t count) {
  size_t depth = p->depth;
  int to;
  if (depth < count + 1)
    return wrong(p, "a value is missing on the stack");
  for (size_t i = depth - count; i < depth; i++)
    if (p->stack[i] == MARK)
      return wrong(p, "a value is missing on the stack");
  p->depth = depth - count;
  ICL__TRY(top(p, kind, &to));
  p->depth = depth;
  ICL__TRY(append(p, to, depth - count));
  p->depth = depth - count;
  return ICL_OK;
}

static icl_status call(icl__pickle *p) {
  int function, arguments;
  ICL__TRY(pop(p, &arguments));
  ICL__TRY(pop(p, &function));
  int result;
  ICL__TRY(icl__value_call(p, icl__value_target(p, function), icl__value_target(p, arguments), &result));
  return push(p, result);
}

static icl_status set_state(icl__pickle *p) {
  int object, state;
  ICL__TRY(pop(p, &state));
  ICL__TRY(pop(p, &object));
  p->depth++; /* the object stays */
  return icl__value_set_state(p, icl__value_target(p, object), icl__value_target(p, state));
}

/* ---- names of classes and functions ---- */

static icl_status global_line(icl__pickle *p) {
  const unsigned char *module = NULL, *name = NULL;
  size_t module_length = 0, name_length = 0;
  ICL__TRY(take_line(p, &module, &module_length));
  ICL__TRY(take_line(p, &name, &name_length));
  int number;
  ICL__TRY(icl__value_global(p, module, module_length, name, name_length, &number));
  return push(p, number);
}

static icl_status global_stack(icl__pickle *p) {
  int module, name, number;
  ICL__TRY(pop(p, &name));
  ICL__TRY(pop(p, &module));
  const unsigned char *text[2];
  size_t length[2];
  if (!icl__pickle_text(p, module, &text[0], &length[0]) || !icl__pickle_text(p, name, &text[1], &length[1]))
    return wrong(p, "a name is no text");
  ICL__TRY(icl__value_global(p, text[0], length[0], text[1], length[1], &number));
  return push(p, number);
}

/* ---- values that are used more than once ---- */

/* Writers count from 0 or 1, and each value is kept once. */
static icl_status keep(icl__pickle *p, uint64_t place) {
  int value;
  ICL__TRY(pop(p, &value));
  p->depth++;
  if (place > p->count)
    return wrong(p, "a place in the memo is out of range");
  size_t before = p->memo_count, needed = (size_t)place + 1;
  if (needed > before) {
    int *memo = icl__grow(p->memo, &p->memo_capacity, needed, sizeof *memo);
    if (!memo)
      return icl__wrap(ICL_ENOMEM, "%s", p->path);
    p->memo = memo;
    for (size_t i = before; i < needed; i++)
      memo[i] = MARK;
    p->memo_count = needed;
  }
  p->memo[place] = value;
  return ICL_OK;
}

static icl_status recall(icl__pickle *p, uint64_t place) {
  if (place >= p->memo_count || p->memo[place] == MARK)
    return wrong(p, "a place in the memo is empty");
  return push_new(p, (icl__value){.kind = ICL__ALIAS, .target = icl__value_target(p, p->memo[place])});
}

/* ---- the machine ---- */

static icl_status push_text(icl__pickle *p, int length_bytes, bool is_signed) {
  uint64_t length;
  const unsigned char *text = NULL;
  ICL__TRY(take_number(p, length_bytes, &length));
  if (is_signed && length > INT32_MAX)
    return wrong(p, "a negative length");
  ICL__TRY(take(p, length, &text));
  return push_new(p, (icl__value){.kind = ICL__TEXT, .text = text, .length = (size_t)length});
}

static icl_status push_integer(icl__pickle *p, int bytes) {
  uint64_t number;
  ICL__TRY(take_number(p, bytes, &number));
  int64_t value = bytes == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
  return push_new(p, (icl__value){.kind = ICL__INTEGER, .integer = value});
}

/* A number of any length in two's complement; here up to 8 bytes. */
static icl_status push_long(icl__pickle *p) {
  uint64_t length, number;
  ICL__TRY(take_number(p, 1, &length));
  if (length > 8)
    return wrong(p, "an integer of more than 64 bits");
  ICL__TRY(take_number(p, (int)length, &number));
  if (length > 0 && length < 8 && number >> (8 * length - 1))
    number |= UINT64_MAX << (8 * length);
  return push_new(p, (icl__value){.kind = ICL__INTEGER, .integer = (int64_t)number});
}

static icl_status numbered(icl__pickle *p, int bytes, icl_status (*use)(icl__pickle *p, uint64_t place)) {
  uint64_t place;
  ICL__TRY(take_number(p, bytes, &place));
  return use(p, place);
}

static icl_status skip(icl__pickle *p, uint64_t bytes) {
  const unsigned char *data = NULL;
  return take(p, bytes, &data);
}

/* One instruction other than STOP. They are called as in Python's pickletools. */
static icl_status obey(icl__pickle *p, unsigned char code) {
  const icl__value empty = {.first = -1, .last = -1};
  icl__value value = empty;
  switch (code) {
  case 0x80: /* PROTO */
    return skip(p, 1);
  case 0x95: /* FRAME */
    return skip(p, 8);
  case '(': /* MARK */
    return push(p, MARK);
  case '}': /* EMPTY_DICT */
    value.kind = ICL__DICTIONARY;
    return push_new(p, value);
  case ']': /* EMPTY_LIST */
    value.kind = ICL__LIST;
    return push_new(p, value);
  case ')': /* EMPTY_TUPLE */
    value.kind = ICL__TUPLE;
    return push_new(p, value);
  case 'N': /* NONE */
    value.kind = ICL__NONE;
    return push_new(p, value);
  case 0x88: /* NEWTRUE */
  case 0x89: /* NEWFALSE */
    return push_new(p, (icl__value){.kind = ICL__INTEGER, .integer = code == 0x88});
  case 'K': /* BININT1 */
    return push_integer(p, 1);
  case 'M': /* BININT2 */
    return push_integer(p, 2);
  case 'J': /* BININT */
    return push_integer(p, 4);
  case 0x8a: /* LONG1 */
    return push_long(p);
  case 'U':  /* SHORT_BINSTRING */
  case 'C':  /* SHORT_BINBYTES */
  case 0x8c: /* SHORT_BINUNICODE */
    return push_text(p, 1, false);
  case 'T': /* BINSTRING */
    return push_text(p, 4, true);
  case 'X': /* BINUNICODE */
  case 'B': /* BINBYTES */
    return push_text(p, 4, false);
  case 0x8d: /* BINUNICODE8 */
  case 0x8e: /* BINBYTES8 */
  case 0x96: /* BYTEARRAY8 */
    return push_text(p, 8, false);
  case 0x85: /* TUPLE1 */
  case 0x86: /* TUPLE2 */
  case 0x87: /* TUPLE3 */
    return make_small_tuple(p, (size_t)(code - 0x84));
  case 't': /* TUPLE */
    return make_marked_tuple(p);
  case 'a': /* APPEND */
    return add_last(p, ICL__LIST, 1);
  case 'e': /* APPENDS */
    return add_marked(p, ICL__LIST);
  case 's': /* SETITEM */
    return add_last(p, ICL__DICTIONARY, 2);
  case 'u': /* SETITEMS */
    return add_marked(p, ICL__DICTIONARY);
  case 'q': /* BINPUT */
    return numbered(p, 1, keep);
  case 'r': /* LONG_BINPUT */
    return numbered(p, 4, keep);
  case 0x94: /* MEMOIZE */
    return keep(p, p->memo_count);
  case 'h': /* BINGET */
    return numbered(p, 1, recall);
  case 'j': /* LONG_BINGET */
    return numbered(p, 4, recall);
  case 'c': /* GLOBAL */
    return global_line(p);
  case 0x93: /* STACK_GLOBAL */
    return global_stack(p);
  case 'R': /* REDUCE */
    return call(p);
  case 'b': /* BUILD */
    return set_state(p);
  }
  return icl__fail(ICL_EFORMAT,
                   "%s: byte %zu is the instruction 0x%02x of a pickle, and only dictionaries, lists, texts, integers "
                   "and arrays of numpy are read",
                   p->path, p->at, code);
}

static icl_status run(icl__pickle *p) {
  if (p->bytes < 2 || p->data[0] != 0x80 || p->data[1] < 2 || p->data[1] > 5)
    return icl__fail(ICL_EFORMAT, "%s: it is no pickle of protocol 2 to 5, in which the set comes", p->path);
  for (;;) {
    const unsigned char *code = NULL;
    p->at = p->position;
    ICL__TRY(take(p, 1, &code));
    if (*code == '.') /* STOP */
      break;
    ICL__TRY(obey(p, *code));
  }
  if (p->position != p->bytes)
    return icl__fail(ICL_EFORMAT, "%s: it should end at byte %zu, but bytes follow", p->path, p->position);
  return pop(p, &p->root);
}

icl_status icl__pickle_read(const char *path, const unsigned char *data, size_t bytes, icl__pickle **result) {
  icl__pickle *p = icl__calloc(1, sizeof *p);
  if (!p)
    return icl__wrap(ICL_ENOMEM, "%s", path);
  p->path = path;
  p->data = data;
  p->bytes = bytes;
  icl_status status = run(p);
  if (status == ICL_OK)
    *result = p;
  else
    icl__pickle_free(p);
  return status;
}
