/* mpi.c - the communicator over MPI: shards by MPI_Ialltoallv, added here in the order of ranks, and MPI_Iallgatherv,
 * so that sums do not depend on what the MPI likes best. All calls of MPI come from the one thread of the group.
 *
 * Every collective begins with a card of each rank: what it is about to do, so that ranks that do not agree are told
 * and not mixed up. What is small travels on the card itself. */
#include "group/mpi/life.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "group/mpi/host.h"

/* Of a card; bytes of a sum, and of a gather, that go at a time; seconds. */
enum { CARD = 1024, ROUND = 64 << 20, GATHERED = 16 << 20, PARTING_SECONDS = 2 };

typedef struct {
  int32_t kind, dtype, root, unused;
  uint64_t count, sequence;
  char bytes[CARD - 32];
} card;

typedef struct {
  icl__meeting meeting;
  icl__roster *roster;
  int rank, size;
  MPI_Comm comm;
  icl__mpi_life life;
  const icl__collective *what; /* that runs; NULL: none */
  uint64_t sequence;
  double turned; /* when signs of life were looked at last */
  bool aborted;
  card own, *cards; /* of every rank */
  int *counts, *places, *own_counts, *own_places;
  const void **source;
  icl__scratch scratch;
} mpi;

/* ---- waiting ---- */

static icl_status look_around(mpi *m) {
  enum { PAUSE_MS = 10 };
  double now = icl__seconds();
  if (now - m->turned < 1e-3 * PAUSE_MS)
    return ICL_OK;
  m->turned = now;
  return icl__mpi_life_turn(&m->life, m->what, m->sequence);
}

/* Until `stop`, or one of `more`, can be read, or the time is over. *woken: the latter. */
static icl_status rest(const mpi *m, int more, long microseconds, bool *woken) {
  struct pollfd fds[] = {{.fd = m->meeting.stop, .events = POLLIN}, {.fd = more, .events = POLLIN}};
  struct timespec time = {.tv_nsec = 1000 * microseconds};
  int ready = ppoll(fds, 2, &time, NULL);
  if (ready > 0 && fds[0].revents)
    return icl__fail(ICL_EINTERRUPTED, "the group ends");
  *woken = ready > 0 && fds[1].revents;
  return ICL_OK;
}

/* MPI moves bytes only while it is called, so the waits are short; but it may not take the core from those who
 * compute. */
static icl_status wait(mpi *m, MPI_Request *request, const char *what) {
  enum { QUICK = 200, PAUSE = 50 };
  bool woken;
  for (int turns = 0;; turns++) {
    int done = 0;
    ICL__TRY(icl__mpi_check(MPI_Test(request, &done, MPI_STATUS_IGNORE), what));
    if (done)
      return ICL_OK;
    if (turns < QUICK)
      sched_yield();
    else
      ICL__TRY(rest(m, -1, PAUSE, &woken));
    ICL__TRY(look_around(m));
  }
}

#define START_AND_WAIT(m, call, name)                                                                                  \
  do {                                                                                                                 \
    MPI_Request request_;                                                                                              \
    ICL__TRY(icl__mpi_check(call, name));                                                                              \
    ICL__TRY(wait((m), &request_, name));                                                                              \
  } while (0)

static icl_status idle(void *state) {
  enum { PAUSE = 10000 };
  mpi *m = state;
  bool woken = false;
  while (!woken) {
    ICL__TRY(rest(m, m->meeting.work, PAUSE, &woken));
    ICL__TRY(look_around(m));
  }
  return ICL_OK;
}

/* ---- cards ---- */

static size_t bytes_of(const icl__collective *what) { return what->count * icl_dtype_bytes(what->dtype); }
static bool is_small(const icl__collective *what) { return bytes_of(what) <= sizeof((card *)NULL)->bytes; }

static icl_status exchange_cards(mpi *m) {
  const icl__collective *what = m->what;
  const bool gives = what->kind != ICL__BROADCAST || what->root == m->rank;
  const void *mine = what->kind == ICL__BROADCAST ? what->result : what->mine;
  m->own = (card){what->kind, (int32_t)what->dtype, what->root, 0, what->count, m->sequence, ""};
  if (is_small(what) && gives && what->count)
    memcpy(m->own.bytes, mine, bytes_of(what));
  START_AND_WAIT(m, MPI_Iallgather(&m->own, CARD, MPI_BYTE, m->cards, CARD, MPI_BYTE, m->comm, &request_),
                 "MPI_Iallgather");
  for (int r = 0; r < m->size; r++) {
    const card *c = &m->cards[r];
    icl__collective theirs = {(icl__collective_kind)c->kind, (icl_dtype)c->dtype, c->root, c->count, NULL, NULL};
    ICL__TRY(icl__collective_check(m->roster, what, r, &theirs));
  }
  return ICL_OK;
}

/* Takes the result off the cards. */
static void read_cards(mpi *m) {
  const icl__collective *what = m->what;
  const size_t bytes = bytes_of(what);
  for (int r = 0; r < m->size; r++)
    m->source[r] = m->cards[r].bytes;
  if (what->kind == ICL__SUM)
    icl__add_in_order(what->dtype, what->result, m->size, m->source, what->count);
  for (int r = 0; r < m->size && what->kind == ICL__GATHER && bytes; r++)
    memcpy((char *)what->result + (size_t)r * bytes, m->cards[r].bytes, bytes);
  if (what->kind == ICL__BROADCAST && bytes)
    memcpy(what->result, m->cards[what->root].bytes, bytes);
}

/* ---- what is large ---- */

/* Elements from `at` on, `count` of them. */
static icl_status sum_round(mpi *m, size_t at, size_t count) {
  const icl_dtype dtype = m->what->dtype;
  const size_t element = icl_dtype_bytes(dtype);
  const MPI_Datatype type = dtype == ICL_F32 ? MPI_FLOAT : dtype == ICL_F64 ? MPI_DOUBLE : MPI_INT64_T;
  const char *mine = (const char *)m->what->mine + at * element;
  char *result = (char *)m->what->result + at * element;
  const int own = (int)(icl__shard_first(count, m->size, m->rank + 1) - icl__shard_first(count, m->size, m->rank));
  if (m->meeting.fast_reduce) {
    START_AND_WAIT(
        m, MPI_Iallreduce(mine == result ? MPI_IN_PLACE : mine, result, (int)count, type, MPI_SUM, m->comm, &request_),
        "MPI_Iallreduce");
    return ICL_OK;
  }
  ICL__TRY(icl__scratch_reserve(&m->scratch, (size_t)own * (size_t)m->size * element));
  for (int r = 0; r < m->size; r++) {
    m->places[r] = (int)icl__shard_first(count, m->size, r);
    m->counts[r] = (int)icl__shard_first(count, m->size, r + 1) - m->places[r];
    m->own_counts[r] = own;
    m->own_places[r] = r * own;
    m->source[r] = m->scratch.data + (size_t)r * (size_t)own * element;
  }
  START_AND_WAIT(m,
                 MPI_Ialltoallv(mine, m->counts, m->places, type, m->scratch.data, m->own_counts, m->own_places, type,
                                m->comm, &request_),
                 "MPI_Ialltoallv");
  icl__add_in_order(dtype, result + (size_t)m->places[m->rank] * element, m->size, m->source, (size_t)own);
  START_AND_WAIT(m, MPI_Iallgatherv(MPI_IN_PLACE, 0, type, result, m->counts, m->places, type, m->comm, &request_),
                 "MPI_Iallgatherv");
  return ICL_OK;
}

static icl_status sum(mpi *m) {
  const size_t most = ROUND / icl_dtype_bytes(m->what->dtype), count = m->what->count;
  for (size_t at = 0; at < count; at += most)
    ICL__TRY(sum_round(m, at, count - at < most ? count - at : most));
  return ICL_OK;
}

static icl_status gather(mpi *m) {
  const size_t bytes = m->what->count, most = GATHERED;
  ICL__TRY(icl__scratch_reserve(&m->scratch, (bytes < most ? bytes : most) * (size_t)m->size));
  for (size_t at = 0; at < bytes; at += most) {
    const size_t length = bytes - at < most ? bytes - at : most;
    START_AND_WAIT(m,
                   MPI_Iallgather((const char *)m->what->mine + at, (int)length, MPI_BYTE, m->scratch.data, (int)length,
                                  MPI_BYTE, m->comm, &request_),
                   "MPI_Iallgather");
    for (int r = 0; r < m->size; r++)
      memcpy((char *)m->what->result + (size_t)r * bytes + at, m->scratch.data + (size_t)r * length, length);
  }
  return ICL_OK;
}

static icl_status broadcast(mpi *m) {
  const size_t bytes = m->what->count;
  for (size_t at = 0; at < bytes; at += ROUND) {
    const size_t length = bytes - at < ROUND ? bytes - at : ROUND;
    START_AND_WAIT(m,
                   MPI_Ibcast((char *)m->what->result + at, (int)length, MPI_BYTE, m->what->root, m->comm, &request_),
                   "MPI_Ibcast");
  }
  return ICL_OK;
}

static icl_status carry_out(mpi *m) {
  ICL__TRY(exchange_cards(m));
  if (is_small(m->what)) {
    read_cards(m);
    return ICL_OK;
  }
  return m->what->kind == ICL__SUM ? sum(m) : m->what->kind == ICL__GATHER ? gather(m) : broadcast(m);
}

static icl_status run(void *state, const icl__collective *what, uint64_t sequence) {
  mpi *m = state;
  m->what = what;
  m->sequence = sequence;
  icl_status status = carry_out(m);
  m->what = NULL;
  m->sequence = sequence + 1;
  return status;
}

/* ---- beginning and end ---- */

/* MPI can begin and end only once in a process. */
static icl_status begin(void) {
  int has_begun = 0, has_ended = 0, level = 0;
  MPI_Initialized(&has_begun);
  MPI_Finalized(&has_ended);
  if (has_ended)
    return icl__fail(ICL_ENOTSUP, "MPI has ended in this process, and cannot begin again");
  if (has_begun)
    return icl__fail(ICL_ENOTSUP, "MPI is in use in this process already; one group at a time can have it");
  ICL__TRY(icl__mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread"));
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  return level >= MPI_THREAD_FUNNELED ? ICL_OK : icl__fail(ICL_ENOTSUP, "this MPI knows no threads");
}

static icl_status fill_roster(mpi *m) {
  char own[ICL__HOST_NAME] = "";
  gethostname(own, sizeof own - 1);
  *m->roster = (icl__roster){m->rank, m->size, icl__calloc((size_t)m->size, sizeof *m->roster->host)};
  if (!m->roster->host)
    return ICL_ENOMEM;
  return icl__mpi_check(MPI_Allgather(own, sizeof own, MPI_BYTE, m->roster->host, sizeof own, MPI_BYTE, m->comm),
                        "MPI_Allgather");
}

static icl_status check_place(const mpi *m) {
  const icl__meeting *meeting = &m->meeting;
  if (meeting->size == 0 || (meeting->size == m->size && meeting->rank == m->rank))
    return ICL_OK;
  return icl__fail(ICL_EINVAL, "this is rank %d of %d, but MPI has it as rank %d of %d; was it started by mpirun?",
                   meeting->rank, meeting->size, m->rank, m->size);
}

static void free_all(mpi *m) {
  icl__mpi_life_close(&m->life);
  icl__free(m->cards);
  icl__free(m->counts);
  icl__free(m->places);
  icl__free(m->own_counts);
  icl__free(m->own_places);
  icl__free(m->source);
  icl__free(m->scratch.data);
  icl__free(m);
}

static icl_status reserve_all(mpi *m) {
  const size_t size = (size_t)m->size;
  m->cards = icl__alloc(size, sizeof *m->cards);
  m->counts = icl__alloc(size, sizeof *m->counts);
  m->places = icl__alloc(size, sizeof *m->places);
  m->own_counts = icl__alloc(size, sizeof *m->own_counts);
  m->own_places = icl__alloc(size, sizeof *m->own_places);
  m->source = icl__alloc(size, sizeof *m->source);
  return m->cards && m->counts && m->places && m->own_counts && m->own_places && m->source ? ICL_OK : ICL_ENOMEM;
}

static icl_status prepare(mpi *m) {
  ICL__TRY(icl__mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &m->comm), "MPI_Comm_dup"));
  MPI_Comm_rank(m->comm, &m->rank);
  MPI_Comm_size(m->comm, &m->size);
  ICL__TRY(check_place(m));
  ICL__TRY(reserve_all(m));
  ICL__TRY(fill_roster(m));
  return icl__mpi_life_open(&m->life, m->roster, m->meeting.timeout);
}

static icl_status open(const icl__meeting *meeting, icl__roster *roster, void **state) {
  mpi *m = icl__calloc(1, sizeof *m);
  if (!m)
    return ICL_ENOMEM;
  m->meeting = *meeting;
  m->roster = roster;
  icl_status status = begin();
  if (status == ICL_OK)
    status = prepare(m);
  if (status == ICL_OK)
    *state = m;
  else
    free_all(m);
  return status;
}

static void abort_all(void *state, const char *text) {
  mpi *m = state;
  m->aborted = true;
  icl__mpi_life_part(&m->life, text, 0, PARTING_SECONDS);
}

/* After a failure MPI is left as it is: its own end would wait for those who are lost. The launcher ends them. */
static void close_all(void *state) {
  mpi *m = state;
  if (!m->aborted) {
    icl__mpi_life_part(&m->life, NULL, m->sequence, PARTING_SECONDS);
    MPI_Finalize();
  }
  free_all(m);
}

icl__communicator_open_fn icl_communicator_open;

const icl__communicator *icl_communicator_open(const icl__communicator_host *host) {
  static const icl__communicator communicator = {ICL__COMMUNICATOR_ABI, "mpi", open, run, idle, abort_all, close_all};
  if (host->abi != ICL__COMMUNICATOR_ABI) {
    host->fail(ICL_ENOTSUP, "libicl_mpi.so was built for another version of icl; build both from one source");
    return NULL;
  }
  icl__mpi_set_host(host);
  return &communicator;
}
