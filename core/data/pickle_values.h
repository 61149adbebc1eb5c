/* pickle_values.h - what pickles consist of: dictionaries, lists, texts, integers, and arrays of bytes of numpy. */
#ifndef ICL_DATA_PICKLE_VALUES_H
#define ICL_DATA_PICKLE_VALUES_H

#include "base/file.h"

/* ---- for readers of a pickle ---- */

typedef struct icl__pickle icl__pickle;
typedef int icl__pickle_value; /* the number of a value; negative: there is none */

void icl__pickle_free(icl__pickle *pickle); /* NULL is allowed */

/* The whole, which is what Python's pickle.load() returns. */
icl__pickle_value icl__pickle_root(const icl__pickle *pickle);

/* The value at a key of a dictionary; negative if it is no dictionary, or has no such key. */
icl__pickle_value icl__pickle_get(const icl__pickle *pickle, icl__pickle_value dictionary, const char *key);

/* How many items a list has; negative if it is none. */
int icl__pickle_count(const icl__pickle *pickle, icl__pickle_value list);
/* The first item of a list, and the one behind an item; negative: there is none. */
icl__pickle_value icl__pickle_first(const icl__pickle *pickle, icl__pickle_value list);
icl__pickle_value icl__pickle_next(const icl__pickle *pickle, icl__pickle_value item);

bool icl__pickle_integer(const icl__pickle *pickle, icl__pickle_value value, int64_t *result);
/* Bytes that live as long as the pickle, without a 0 at the end. */
bool icl__pickle_text(const icl__pickle *pickle, icl__pickle_value value, const unsigned char **text, size_t *bytes);

/* A matrix of bytes. */
typedef struct {
  const unsigned char *data;
  int64_t rows, columns;
  int64_t row_step, column_step; /* from an element to the next */
} icl__pickle_matrix;

bool icl__pickle_array(const icl__pickle *pickle, icl__pickle_value value, icl__pickle_matrix *result);

/* ---- for pickle.c, which makes them ---- */

typedef enum {
  ICL__NONE,
  ICL__INTEGER, /* False and True are 0 and 1 */
  ICL__TEXT,
  ICL__LIST,
  ICL__TUPLE,
  ICL__DICTIONARY, /* items are key, value, key, value, ... */
  ICL__FUNCTION,
  ICL__DTYPE,
  ICL__ARRAY,
  ICL__ALIAS /* of a value that is used more than once */
} icl__kind;

/* What a pickle may call, and the classes that stand in its arguments. */
typedef enum { ICL__RECONSTRUCT, ICL__FROMBUFFER, ICL__NDARRAY, ICL__DTYPE_CLASS, ICL__ENCODE } icl__function;

typedef struct {
  icl__kind kind;
  int next; /* the item behind this one in its list; negative: there is none */
  union {
    int64_t integer;
    int target;
    icl__function function;
    struct {
      const unsigned char *text;
      size_t length;
    };
    struct {
      int first, last, count;
    };
    icl__pickle_matrix matrix;
  };
} icl__value;

struct icl__pickle {
  const char *path;
  const unsigned char *data;
  size_t bytes, position;
  size_t at; /* where the instruction begins that is obeyed */
  icl__value *values;
  size_t count, capacity;
  int *stack;
  size_t depth, stack_capacity;
  int *memo;
  size_t memo_count, memo_capacity;
  unsigned char *decoded; /* bytes that came as text */
  size_t decoded_bytes;
  int root;
};

/* Stores a value; its `next` is set. */
icl_status icl__value_new(icl__pickle *p, icl__value value, int *number);
/* The value that an alias stands for; of others the value itself. */
int icl__value_target(const icl__pickle *p, int value);
/* Adds an item, which is in no list yet, to a list, tuple or dictionary. */
icl_status icl__value_append(icl__pickle *p, int to, int item);

/* A class or function by its name; a call; and what comes into an object that a call returned. */
icl_status icl__value_global(icl__pickle *p, const unsigned char *module, size_t module_length,
                             const unsigned char *name, size_t name_length, int *number);
icl_status icl__value_call(icl__pickle *p, int function, int arguments, int *result);
icl_status icl__value_set_state(icl__pickle *p, int object, int state);

#endif
