/* communicator.h - what carries out the collectives of a group: tcp, which is built in, or a plug-in libicl_NAME.so.
 *
 * Every call comes from the one thread of the group. */
#ifndef ICL_GROUP_COMMUNICATOR_H
#define ICL_GROUP_COMMUNICATOR_H

#include "base/status.h"

enum { ICL__HOST_NAME = 64 };

typedef enum { ICL__SUM, ICL__GATHER, ICL__BROADCAST, ICL__BARRIER } icl__collective_kind;

typedef struct {
  icl__collective_kind kind;
  icl_dtype dtype;  /* of a sum; else u8 */
  int root;         /* of a broadcast; else 0 */
  size_t count;     /* elements of one rank; 0 at a barrier */
  const void *mine; /* what this rank gives; of a broadcast, in `result` */
  void *result;     /* of a gather, count of each rank */
} icl__collective;

/* How a communicator meets the others. */
typedef struct {
  int rank, size;
  const char *address;
  double timeout, start_timeout;
  bool fast_reduce;
  int work, stop; /* can be read, as poll() has it, when there is a collective to run; when all shall end */
} icl__meeting;

/* Who is there. */
typedef struct {
  int rank, size;
  char (*host)[ICL__HOST_NAME]; /* of each rank; from icl__alloc() */
} icl__roster;

typedef struct {
  uint64_t abi; /* the first field in every version */
  const char *name;
  icl_status (*open)(const icl__meeting *meeting, icl__roster *roster, void **state);
  /* Runs a collective, number `sequence` of this group. EINTERRUPTED: `stop` could be read. Any other error is about a
   * rank, which it names, and the group is lost. */
  icl_status (*run)(void *state, const icl__collective *what, uint64_t sequence);
  /* Gives and watches signs of life until `work` or `stop` can be read. Errors as above. */
  icl_status (*idle)(void *state);
  /* Tells all others why the group is lost, for a few seconds at most. Nothing but close() follows. */
  void (*abort)(void *state, const char *text);
  void (*close)(void *state); /* takes leave of the others, unless abort() was called */
} icl__communicator;

/* Changes with the version of the interface and with the sizes of what both sides look into. */
#define ICL__COMMUNICATOR_ABI                                                                                          \
  ((uint64_t)1 << 48 | (uint64_t)sizeof(icl__collective) << 32 | (uint64_t)sizeof(icl__meeting) << 16 |                \
   (uint64_t)sizeof(icl__communicator))

/* What a plug-in must take from the library, whose symbols are hidden from it. */
typedef struct {
  uint64_t abi; /* the first field in every version */
  icl_status (*fail)(icl_status status, const char *format, ...) ICL__PRINTF(2, 3);
  void *(*allocate)(size_t count, size_t bytes);
  void (*release)(void *memory);
} icl__communicator_host;

/* The function that a plug-in exports. NULL, with a message, if it cannot work here. It must compare host->abi with its
 * own ICL__COMMUNICATOR_ABI before it uses anything else. */
typedef const icl__communicator *icl__communicator_open_fn(const icl__communicator_host *host);
#define ICL__COMMUNICATOR_OPEN "icl_communicator_open"

extern const icl__communicator icl__tcp;

#endif
