/* library.h - what the doubles of NVIDIA's libraries share: values of any type as floats, and checks of addresses. */
#ifndef ICL_TESTS_CUDASIM_LIBRARY_H
#define ICL_TESTS_CUDASIM_LIBRARY_H

#include "simulator.h"

#include <vector>

namespace sim {

enum value_type { FLOAT, HALF, BFLOAT, DOUBLE }; /* floats hold all but DOUBLE */
size_t bytes_of(value_type type);

/* `tf32`: floats lose the digits that tensor cores do not take. */
std::vector<float> load(value_type type, const void *from, size_t count, bool tf32);
void store(value_type type, void *to, size_t index, float value);

bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/* y += the sum of `count` rows, each times its factor; all have `length` values. */
void add_rows(float *y, size_t length, size_t count, const float *const *row, const float *factor);

} // namespace sim

#endif
