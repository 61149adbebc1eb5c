/* elementwise.c - the elements of an output in stretches, and what its inputs hold there. */
#include "backend/cpu/kernels/elementwise.h"

#include "backend/cpu/kernels/convert.h"
#include "backend/cpu/kernels/rows.h"

enum { OPERANDS = ICL_MAX_INPUTS + 1 };

/* Elements: most of a stretch that needs buffers; rows from which on they are taken one by one, if that saves a buffer.
 */
enum { LIMIT = 1024, LONG = STRETCH_SLOT - STRETCH_STEP };

/* The operands are the inputs and, behind them, the output. Strides are in elements, those of the last axis 0 or 1;
 * repeated axes have stride 0. */
typedef struct {
  int rank, operands;
  int64_t size[ICL_MAX_RANK], stride[OPERANDS][ICL_MAX_RANK];
} space;

/* ---- axes ---- */

static void set_strides(space *s, int operand, const icl__view *v) {
  int64_t stride = v->pitch;
  for (int d = 0; d < s->rank; d++)
    s->stride[operand][d] = 0;
  for (int d = v->rank - 1, axis = s->rank - 1; d >= 0; d--, axis--) {
    bool last = d == v->rank - 1, repeated = v->shape[d] == 1 && s->size[axis] > 1;
    s->stride[operand][axis] = repeated ? 0 : last ? 1 : stride;
    stride *= last ? 1 : v->shape[d];
  }
}

/* May axes d and d + 1 be one? */
static bool merges(const space *s, int d) {
  for (int k = 0; k < s->operands; k++) {
    int64_t outer = s->stride[k][d], inner = s->stride[k][d + 1];
    if (s->size[d + 1] == 1 ? outer > 1 : outer != inner * s->size[d + 1])
      return false;
  }
  return true;
}

static void drop_axis(space *s, int d) {
  s->rank--;
  for (int i = d; i < s->rank; i++)
    s->size[i] = s->size[i + 1];
  for (int k = 0; k < s->operands; k++)
    for (int i = d; i < s->rank; i++)
      s->stride[k][i] = s->stride[k][i + 1];
}

/* The strides of the inner axis stay, unless it has one element. */
static void merge_axes(space *s, int d) {
  int64_t size = s->size[d] * s->size[d + 1];
  drop_axis(s, s->size[d + 1] == 1 ? d + 1 : d);
  s->size[d] = size;
}

static void set_space(space *s, const icl__call *call) {
  const icl__view *out = &call->out;
  s->rank = out->rank ? out->rank : 1;
  s->operands = call->inputs + 1;
  s->size[0] = 1;
  for (int d = 0; d < out->rank; d++)
    s->size[d] = out->shape[d];
  for (int k = 0; k < call->inputs; k++)
    set_strides(s, k, &call->in[k]);
  set_strides(s, call->inputs, out);
  s->stride[call->inputs][s->rank - 1] = 1;
  for (int d = s->rank - 2; d >= 0; d--) {
    if (s->size[d] == 1)
      drop_axis(s, d);
    else if (merges(s, d))
      merge_axes(s, d);
  }
}

/* ---- stretches ---- */

/* How an operand is handed over. */
typedef enum { DIRECT, REPEATED, BUFFERED } way;

/* An operand within the last two axes: rows of columns. */
typedef struct {
  icl_dtype dtype, as; /* in memory; for the kernel: f32 or bf16 */
  way way;
  char *data; /* the first element of the first row */
  int64_t row_stride, column_stride;
  char *buffer;
  const char *held; /* the buffer holds the row that begins here, again and again, */
  int64_t count;    /* so many elements */
} operand;

typedef struct {
  const icl__call *call;
  stretch_kernel kernel;
  space space;
  int64_t rows, columns; /* of the last two axes */
  int64_t limit;         /* elements of a stretch */
  bool one_row;          /* a stretch is not more than a row */
  bool patterned;        /* a row is repeated, not only an element */
  operand operand[OPERANDS];
} walk;

INLINE int64_t bytes_of(icl_dtype lane) { return lane == ICL_BF16 ? 2 : 4; }

static char *element(const operand *o, int64_t row, int64_t column) {
  return o->data + (row * o->row_stride + column * o->column_stride) * (int64_t)icl_dtype_bytes(o->dtype);
}

static bool is_adjacent(const operand *o, int64_t rows, int64_t columns) {
  return o->column_stride == 1 && (rows == 1 || o->row_stride == columns);
}

/* Fills `count` elements of `bytes` with what the first `period` of them hold. */
static void repeat(char *buffer, int64_t period, int64_t count, int64_t bytes) {
  for (int64_t have = period; have < count; have *= 2)
    memcpy(buffer + have * bytes, buffer, (size_t)((have < count - have ? have : count - have) * bytes));
}

static void fill_row(const operand *o, const char *from, char *to, int64_t columns) {
  int64_t count = o->column_stride ? columns : 1, bytes = bytes_of(o->as);
  if (o->dtype == o->as)
    memcpy(to, from, (size_t)(count * bytes));
  else
    widen(o->dtype, from, (float *)(void *)to, count);
  repeat(to, count, columns, bytes);
}

/* What begins at `from`, an element or a row of them, again and again. */
static void fill_repeated(operand *o, const char *from, int64_t columns, int64_t count) {
  if (o->held == from && o->count >= count)
    return;
  int64_t period = o->column_stride ? columns : 1;
  fill_row(o, from, o->buffer, period);
  repeat(o->buffer, period, count, bytes_of(o->as));
  o->held = from;
  o->count = count;
}

static void fill_rows(const operand *o, const char *from, int64_t rows, int64_t columns) {
  int64_t stride = o->row_stride * (int64_t)icl_dtype_bytes(o->dtype), length = columns * bytes_of(o->as);
  for (int64_t i = 0; i < rows; i++)
    fill_row(o, from + i * stride, o->buffer + i * length, columns);
}

static void set_input(stretch *t, operand *o, int k, const char *from, int64_t rows, int64_t columns) {
  t->in[k] = o->way == DIRECT ? from : o->buffer;
  t->whole[k] = o->way == REPEATED ? 0 : ~INT64_C(0);
  if (o->way == REPEATED)
    fill_repeated(o, from, columns, t->period + STRETCH_STEP);
  else if (o->way == BUFFERED && o->row_stride == 0)
    fill_repeated(o, from, columns, rows * columns);
  else if (o->way == BUFFERED)
    fill_rows(o, from, rows, columns);
}

static void empty_buffer(const operand *o, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    const char *from = o->buffer + i * columns * bytes_of(o->as);
    if (o->dtype == o->as)
      memcpy(element(o, row + i, column), from, (size_t)(columns * bytes_of(o->as)));
    else
      narrow((const float *)(const void *)from, o->dtype, element(o, row + i, column), columns);
  }
}

/* The end of a stretch that is no whole step, by way of copies. */
static void run_rest(const stretch *t, stretch_kernel kernel, int64_t done) {
  float memory[OPERANDS][STRETCH_STEP] = {{0}};
  stretch rest = *t;
  size_t count = (size_t)(t->count - done), out_bytes = t->halves >> STRETCH_OUT & 1 ? 2 : 4;
  for (int k = 0; k < t->inputs; k++) {
    size_t bytes = t->halves >> k & 1 ? 2 : 4, skip = (size_t)stretch_index(t, k, done, done % t->period) * bytes;
    memcpy(memory[k], (const char *)t->in[k] + skip, count * bytes);
    rest.in[k] = memory[k];
  }
  rest.out = memory[t->inputs];
  rest.count = STRETCH_STEP;
  kernel(&rest);
  memcpy((char *)t->out + (size_t)done * out_bytes, memory[t->inputs], count * out_bytes);
}

void ISA_NAME(icl__run_stretch)(const stretch *t, stretch_kernel kernel) {
  stretch whole = *t;
  whole.count = t->count / STRETCH_STEP * STRETCH_STEP;
  if (whole.count)
    kernel(&whole);
  if (whole.count < t->count)
    run_rest(t, kernel, whole.count);
}

/* Rows `row` to row + rows - 1, of each the columns `column` to column + columns - 1: several rows are whole. */
static void run_stretch(walk *w, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  stretch t = {.inputs = w->call->inputs, .count = rows * columns, .period = w->patterned ? columns : 1};
  for (int k = 0; k < t.inputs; k++) {
    operand *o = &w->operand[k];
    set_input(&t, o, k, element(o, row, column), rows, columns);
    t.halves |= (o->as == ICL_BF16 ? 1u : 0u) << k;
  }
  const operand *out = &w->operand[t.inputs];
  t.out = out->way == DIRECT ? element(out, row, column) : out->buffer;
  t.halves |= (out->as == ICL_BF16 ? 1u : 0u) << STRETCH_OUT;
  ISA_NAME(icl__run_stretch)(&t, w->kernel);
  if (out->way != DIRECT && is_adjacent(out, rows, columns))
    empty_buffer(out, row, 1, column, t.count);
  else if (out->way != DIRECT)
    empty_buffer(out, row, rows, column, columns);
}

static void run_rows(walk *w, int64_t row, int64_t end) {
  if (w->columns > w->limit) {
    for (; row < end; row++)
      for (int64_t j = 0; j < w->columns; j += w->limit)
        run_stretch(w, row, 1, j, w->columns - j < w->limit ? w->columns - j : w->limit);
    return;
  }
  int64_t most = w->one_row ? 1 : w->limit / w->columns;
  for (; row < end; row += most)
    run_stretch(w, row, end - row < most ? end - row : most, 0, w->columns);
}

/* ---- the whole ---- */

static void set_operand(walk *w, int k, const icl__view *v, bool half) {
  const space *s = &w->space;
  const int64_t *stride = s->stride[k];
  w->operand[k] = (operand){.dtype = v->dtype,
                            .as = half && v->dtype == ICL_BF16 ? ICL_BF16 : ICL_F32,
                            .row_stride = s->rank > 1 ? stride[s->rank - 2] : 0,
                            .column_stride = stride[s->rank - 1]};
}

/* Does it pay to take rows one by one? Yes if they are long and an operand is repeated within them, such as a number
 * for each image, or has a row pitch: then it needs no buffer. */
static bool has_long_rows(const walk *w) {
  for (int k = 0; k < w->space.operands && w->columns >= LONG; k++) {
    const operand *o = &w->operand[k];
    if (!is_adjacent(o, w->rows, w->columns) && o->row_stride + o->column_stride > 0)
      return true;
  }
  return false;
}

static way way_of(const walk *w, const operand *o) {
  int64_t rows = w->one_row ? 1 : w->rows;
  if (o->dtype == o->as && is_adjacent(o, rows, w->columns))
    return DIRECT;
  bool pattern = o->column_stride && rows > 1, same_rows = rows == 1 || o->row_stride == 0;
  return same_rows && (pattern || !o->column_stride) ? REPEATED : BUFFERED;
}

/* Chooses the ways and by them the size of a stretch. */
static void choose_ways(walk *w) {
  w->limit = INT64_MAX;
  w->patterned = false;
  w->one_row = has_long_rows(w);
  for (int k = 0; k < w->space.operands; k++) {
    operand *o = &w->operand[k];
    o->way = way_of(w, o);
    o->buffer = (char *)w->call->scratch + k * STRETCH_SLOT * (int64_t)sizeof(float);
    w->patterned |= o->way == REPEATED && o->column_stride;
    if (o->way == BUFFERED)
      w->limit = LIMIT;
  }
}

/* Sets the operands to plane `plane`, a position of the axes before the last two. */
static void seek(walk *w, int64_t plane) {
  const space *s = &w->space;
  const icl__call *call = w->call;
  int64_t offset[OPERANDS] = {0};
  for (int d = s->rank - 3; d >= 0; plane /= s->size[d--])
    for (int k = 0; k < s->operands; k++)
      offset[k] += plane % s->size[d] * s->stride[k][d];
  for (int k = 0; k < s->operands; k++) {
    operand *o = &w->operand[k];
    char *data = k == call->inputs ? call->out.data : call->in[k].data;
    o->data = data + offset[k] * (int64_t)icl_dtype_bytes(o->dtype);
  }
}

/* A part is a range of the rows, or of the columns if there is one row only. */
static void run_part(walk *w, int64_t planes) {
  if (planes * w->rows == 1) {
    share columns = part_of(w->call, w->columns);
    w->columns = columns.end - columns.begin;
    seek(w, 0);
    for (int k = 0; k < w->space.operands; k++)
      w->operand[k].data = element(&w->operand[k], 0, columns.begin);
    if (w->columns)
      run_rows(w, 0, 1);
    return;
  }
  share rows = part_of(w->call, planes * w->rows);
  for (int64_t row = rows.begin, next; row < rows.end; row = next) {
    int64_t plane = row / w->rows, first = plane * w->rows;
    next = first + w->rows < rows.end ? first + w->rows : rows.end;
    seek(w, plane);
    run_rows(w, row - first, next - first);
  }
}

void ISA_NAME(icl__elementwise)(const icl__call *call, stretch_kernel kernel, uint32_t halves) {
  walk w;
  w.call = call;
  w.kernel = kernel;
  set_space(&w.space, call);
  const space *s = &w.space;
  int64_t planes = 1;
  for (int d = 0; d < s->rank - 2; d++)
    planes *= s->size[d];
  w.rows = s->rank > 1 ? s->size[s->rank - 2] : 1;
  w.columns = s->size[s->rank - 1];
  if (planes * w.rows * w.columns == 0)
    return;
  for (int k = 0; k < call->inputs; k++)
    set_operand(&w, k, &call->in[k], halves >> k & 1);
  set_operand(&w, call->inputs, &call->out, halves >> STRETCH_OUT & 1);
  choose_ways(&w);
  run_part(&w, planes);
}

bool ISA_NAME(icl__elementwise_fits)(const icl__call *prototype) {
  icl_dtype to = prototype->out.dtype;
  bool fits = to == ICL_F32 || to == ICL_BF16 || to == ICL_F16 || to == ICL_BOOL;
  for (int k = 0; k < prototype->inputs && fits; k++) {
    const icl__view *v = &prototype->in[k];
    fits = v->dtype == ICL_F64 ? icl__view_count(v) == 1 : v->dtype != ICL_I32 && v->dtype != ICL_I64;
  }
  return fits;
}
