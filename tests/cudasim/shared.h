/* shared.h - shared memory of the running block. */
#ifndef ICL_TESTS_CUDASIM_SHARED_H
#define ICL_TESTS_CUDASIM_SHARED_H

#include <stddef.h>

namespace sim {

/* A new block with so many bytes of dynamic shared memory. */
void begin_shared(size_t dynamic_bytes);
/* Memory that no block had before. */
void *new_shared(size_t bytes);

} // namespace sim

#endif
