/* print.c - tensors as text, as NumPy prints arrays:
 *
 *   [[1, 2, 3],
 *    [4, 5, 9]]  f32 (2, 3)
 *
 * All numbers have one form, chosen from those that are shown, and one width. */
#include "print.h"

#include "error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/kernel.h"
#include "base/number.h"

/* A tensor of more than MANY elements shows EDGE entries at both ends of each axis; lines break after COLUMNS. */
enum { MANY = 1000, EDGE = 3, COLUMNS = 100, NUMBER_TEXT = 40 };

typedef struct {
  lua_State *L;
  luaL_Buffer text;
  icl_dtype dtype;
  size_t bytes; /* of an element */
  int rank;
  const int32_t *shape;
  int64_t stride[ICL_MAX_RANK]; /* elements from one entry of an axis to the next */
  const char *data;
  bool shortened;
  const char *format; /* of real numbers */
  int width;
} printer;

/* ---- which entries ---- */

static bool is_cut(const printer *p, int axis) { return p->shortened && p->shape[axis] > 2 * EDGE; }

/* The entry shown behind entry i. */
static int32_t next_shown(const printer *p, int axis, int32_t i) {
  return is_cut(p, axis) && i == EDGE - 1 ? p->shape[axis] - EDGE : i + 1;
}

static void for_shown(printer *p, int axis, int64_t at, void (*visit)(printer *p, const void *element)) {
  if (axis == p->rank)
    visit(p, p->data + (size_t)at * p->bytes);
  else
    for (int32_t i = 0; i < p->shape[axis]; i = next_shown(p, axis, i))
      for_shown(p, axis + 1, at + i * p->stride[axis], visit);
}

/* ---- one number ---- */

static double real_of(const printer *p, const void *element) { return icl__load_f64(p->dtype, element, 0); }

static void element_text(const printer *p, const void *element, char text[NUMBER_TEXT]) {
  int64_t integer;
  if (p->dtype == ICL_BOOL) {
    snprintf(text, NUMBER_TEXT, "%s", *(const uint8_t *)element ? "true" : "false");
  } else if (p->dtype == ICL_U8 || p->dtype == ICL_I32 || p->dtype == ICL_I64) {
    icl__convert(p->dtype, element, ICL_I64, &integer, 1);
    snprintf(text, NUMBER_TEXT, "%lld", (long long)integer);
  } else {
    double real = real_of(p, element);
    if (isnan(real))
      snprintf(text, NUMBER_TEXT, "nan"); /* without the sign that some have */
    else
      icl__print(text, NUMBER_TEXT, isfinite(real) ? p->format : "%.0f", real);
  }
}

static bool is_whole(double x) { return !isfinite(x) || (x == floor(x) && fabs(x) < 1e7); }

/* Whole numbers stay whole as long as all are; very large and very small ones need exponents. */
static void choose_format(printer *p, const void *element) {
  double real = real_of(p, element), size = fabs(real);
  if (isfinite(real) && size > 0 && (size >= 1e5 || size < 1e-4) && !is_whole(real))
    p->format = "%.4e";
  else if (!is_whole(real) && !strcmp(p->format, "%.0f"))
    p->format = "%.4f";
}

static void widen(printer *p, const void *element) {
  char text[NUMBER_TEXT];
  element_text(p, element, text);
  int width = (int)strlen(text);
  p->width = width > p->width ? width : p->width;
}

/* ---- brackets ---- */

static void indent(printer *p, int axis) {
  for (int i = 0; i <= axis; i++)
    luaL_addchar(&p->text, ' ');
}

static void add_element(printer *p, const void *element) {
  char text[NUMBER_TEXT];
  element_text(p, element, text);
  for (int i = (int)strlen(text); i < p->width; i++)
    luaL_addchar(&p->text, ' ');
  luaL_addstring(&p->text, text);
}

/* Between two entries of an axis: a comma within a line, else as many line breaks as axes begin anew. */
static void add_separator(printer *p, int axis, int *column) {
  bool last = axis + 1 == p->rank;
  luaL_addchar(&p->text, ',');
  *column += p->width + 2;
  if (last && *column + p->width < COLUMNS) {
    luaL_addchar(&p->text, ' ');
    return;
  }
  *column = axis;
  for (int i = last ? 1 : p->rank - axis - 1; i > 0; i--)
    luaL_addchar(&p->text, '\n');
  indent(p, axis);
}

static void add_axis(printer *p, int axis, int64_t at) {
  if (axis == p->rank) {
    add_element(p, p->data + (size_t)at * p->bytes);
    return;
  }
  int column = axis;
  luaL_addchar(&p->text, '[');
  for (int32_t i = 0, next; i < p->shape[axis]; i = next) {
    next = next_shown(p, axis, i);
    add_axis(p, axis + 1, at + i * p->stride[axis]);
    if (next < p->shape[axis])
      add_separator(p, axis, &column);
    if (next > i + 1) {
      luaL_addstring(&p->text, "...");
      add_separator(p, axis, &column);
    }
  }
  luaL_addchar(&p->text, ']');
}

/* ---- the whole ---- */

/* "f32 (2, 3)" */
static void push_kind(lua_State *L, const icl_tensor *t) {
  lua_pushfstring(L, "%s (", icl_dtype_name(icl_tensor_dtype(t)));
  for (int i = 0; i < icl_tensor_rank(t); i++)
    lua_pushfstring(L, i ? ", %d" : "%d", (int)icl_tensor_shape(t)[i]);
  lua_pushliteral(L, ")");
  lua_concat(L, icl_tensor_rank(t) + 2);
}

static void push_values(lua_State *L, const icl_tensor *t, const void *data) {
  printer p = {.L = L, .dtype = icl_tensor_dtype(t), .rank = icl_tensor_rank(t), .shape = icl_tensor_shape(t)};
  p.bytes = icl_dtype_bytes(p.dtype);
  p.data = data;
  p.shortened = icl_tensor_count(t) > MANY;
  p.format = "%.0f";
  int64_t stride = 1;
  for (int axis = p.rank - 1; axis >= 0; axis--) {
    p.stride[axis] = stride;
    stride *= p.shape[axis];
  }
  for_shown(&p, 0, 0, choose_format);
  for_shown(&p, 0, 0, widen);
  luaL_buffinit(L, &p.text);
  add_axis(&p, 0, 0);
  luaL_pushresult(&p.text);
}

void icl__lua_push_tensor_text(lua_State *L, icl_tensor *t) {
  size_t bytes = (size_t)icl_tensor_count(t) * icl_dtype_bytes(icl_tensor_dtype(t));
  void *data = lua_newuserdatauv(L, bytes + 1, 0);
  icl_status status = icl_tensor_read(t, icl_tensor_dtype(t), data);
  if (status == ICL_ENOVALUE) {
    lua_pushfstring(L, " without a value: %s", icl_message());
    push_kind(L, t);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return;
  }
  icl__lua_check(L, status);
  push_values(L, t, data);
  lua_pushliteral(L, "  ");
  push_kind(L, t);
  lua_concat(L, 3);
}
