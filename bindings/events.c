/* events.c - what event files of TensorBoard need: names, checksums and histograms. */
#include "events.h"

#include "error.h"
#include "handle.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* process() -> the number of this process, the name of its host */
static int process(lua_State *L) {
  char host[HOST_NAME_MAX + 1] = "";
  gethostname(host, sizeof host - 1);
  lua_pushinteger(L, getpid());
  lua_pushstring(L, host[0] ? host : "host");
  return 2;
}

/* crc32c(text) -> CRC-32C (Castagnoli et al. 1993; reflected), an integer from 0 to 2^32 - 1 */
static int crc32c(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  uint32_t table[256], crc = UINT32_MAX;
  for (uint32_t i = 0; i < 256; i++) {
    table[i] = i;
    for (int bit = 0; bit < 8; bit++)
      table[i] = (table[i] >> 1) ^ (0x82f63b78u & -(table[i] & 1));
  }
  for (size_t i = 0; i < length; i++)
    crc = (crc >> 8) ^ table[(crc ^ (uint8_t)text[i]) & 0xff];
  lua_pushinteger(L, crc ^ UINT32_MAX);
  return 1;
}

/* TensorBoard's edges: 1e-12 1.1^k below 1e20, these with a minus, and 0. */
enum { POSITIVE_EDGES = 774, EDGES = 2 * POSITIVE_EDGES + 1, BUCKETS = EDGES - 1 };

static void fill_edges(double edges[EDGES]) {
  double edge = 1e-12;
  edges[POSITIVE_EDGES] = 0;
  for (int k = 1; k <= POSITIVE_EDGES; k++, edge *= 1.1) {
    edges[POSITIVE_EDGES + k] = edge;
    edges[POSITIVE_EDGES - k] = -edge;
  }
}

/* The bucket whose lower edge is at most x and whose upper one is above it; values outside belong to the first and the
 * last one. */
static int bucket_of(const double edges[EDGES], double x) {
  int low = 0;
  for (int length = BUCKETS; length > 1;) {
    int half = length / 2;
    low += x >= edges[low + half] ? half : 0;
    length -= half;
  }
  return low;
}

static void set_number(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* Sets `limits` and `counts` of the table on top: the upper edges of the buckets from the one before the first that is
 * not empty to the last, and what is in them. */
static void set_buckets(lua_State *L, const double edges[EDGES], const int64_t counts[BUCKETS]) {
  int first = 0, last = BUCKETS - 1;
  while (first < last && !counts[first])
    first++;
  while (last > first && !counts[last])
    last--;
  first -= first > 0;
  lua_createtable(L, last - first + 1, 0);
  lua_createtable(L, last - first + 1, 0);
  for (int i = first; i <= last; i++) {
    lua_pushnumber(L, edges[i + 1]);
    lua_rawseti(L, -3, i - first + 1);
    lua_pushnumber(L, (double)counts[i]);
    lua_rawseti(L, -2, i - first + 1);
  }
  lua_setfield(L, -3, "counts");
  lua_setfield(L, -2, "limits");
}

/* histogram(tensor or state) -> { min, max, num, sum, sum_squares, limits, counts } of its finite values, the last two
 * lists; nil if it has none */
static int histogram(lua_State *L) {
  icl_tensor *x = icl__lua_check_tensor(L, 1);
  size_t count = (size_t)icl_tensor_count(x);
  float *values = lua_newuserdatauv(L, count * sizeof *values + 1, 0);
  ICL__LUA_TRY(L, icl_tensor_read(x, ICL_F32, values));
  double edges[EDGES], min = HUGE_VAL, max = -HUGE_VAL, sum = 0, sum_squares = 0;
  int64_t counts[BUCKETS], finite = 0;
  fill_edges(edges);
  memset(counts, 0, sizeof counts);
  for (size_t i = 0; i < count; i++) {
    double value = (double)values[i];
    if (!isfinite(value))
      continue;
    finite++;
    min = fmin(min, value);
    max = fmax(max, value);
    sum += value;
    sum_squares += value * value;
    counts[bucket_of(edges, value)]++;
  }
  if (!finite)
    return 0;
  lua_createtable(L, 0, 7);
  set_number(L, "min", min);
  set_number(L, "max", max);
  set_number(L, "num", (double)finite);
  set_number(L, "sum", sum);
  set_number(L, "sum_squares", sum_squares);
  set_buckets(L, edges, counts);
  return 1;
}

void icl__lua_events_functions(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"process", process}, {"crc32c", crc32c}, {"histogram", histogram}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
