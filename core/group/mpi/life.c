/* life.c - see life.h. */
#include "group/mpi/life.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

enum { TAG_ALIVE = 1, TAG_LEAVE, TAG_ABORT };
enum { TEXT = 1000 };

icl_status icl__mpi_check(int error, const char *what) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (error == MPI_SUCCESS)
    return ICL_OK;
  MPI_Error_string(error, text, &length);
  return icl__fail(ICL_EIO, "MPI: %s: %.*s", what, length, text);
}

icl_status icl__mpi_life_open(icl__mpi_life *life, const icl__roster *roster, double timeout) {
  const size_t size = (size_t)roster->size;
  *life = (icl__mpi_life){.roster = roster, .timeout = timeout};
  ICL__TRY(icl__mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &life->comm), "MPI_Comm_dup"));
  life->heard = icl__calloc(size, sizeof *life->heard);
  life->left_at = icl__calloc(size, sizeof *life->left_at);
  life->sent = icl__calloc(size, sizeof *life->sent);
  if (!life->heard || !life->left_at || !life->sent) {
    icl__mpi_life_close(life);
    return ICL_ENOMEM;
  }
  life->looked = life->said = icl__seconds();
  for (size_t r = 0; r < size; r++) {
    life->heard[r] = life->looked;
    life->left_at[r] = UINT64_MAX;
    life->sent[r] = MPI_REQUEST_NULL;
  }
  return ICL_OK;
}

void icl__mpi_life_close(icl__mpi_life *life) {
  icl__free(life->heard);
  icl__free(life->left_at);
  icl__free(life->sent);
}

/* ---- giving ---- */

/* Has what was sent to this rank gone? */
static bool has_gone(icl__mpi_life *life, int rank) {
  int done = 1;
  return MPI_Test(&life->sent[rank], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || done;
}

static bool is_there(const icl__mpi_life *life, int rank) {
  return rank != life->roster->rank && life->left_at[rank] == UINT64_MAX;
}

static void give_sign(icl__mpi_life *life) {
  static const char nothing;
  for (int r = 0; r < life->roster->size; r++)
    if (is_there(life, r) && has_gone(life, r))
      MPI_Isend(&nothing, 0, MPI_BYTE, r, TAG_ALIVE, life->comm, &life->sent[r]);
}

void icl__mpi_life_part(icl__mpi_life *life, const char *why, uint64_t sequence, double seconds) {
  const int size = life->roster->size;
  const double until = icl__seconds() + seconds;
  size_t length = why ? strlen(why) : sizeof life->leaving;
  const int bytes = (int)(length < TEXT ? length : TEXT);
  bool waits = true;
  life->leaving = sequence;
  bool *told = icl__calloc((size_t)size, sizeof *told);
  while (told && waits && icl__seconds() < until) {
    waits = false;
    for (int r = 0; r < size; r++) {
      if (!is_there(life, r))
        continue;
      bool gone = has_gone(life, r);
      if (gone && !told[r]) {
        MPI_Isend(why ? (const void *)why : &life->leaving, bytes, MPI_BYTE, r, why ? TAG_ABORT : TAG_LEAVE, life->comm,
                  &life->sent[r]);
        told[r] = true;
        gone = has_gone(life, r);
      }
      waits = waits || !gone;
    }
    if (waits)
      usleep(1000);
  }
  icl__free(told);
}

/* ---- taking ---- */

static icl_status take(icl__mpi_life *life, const MPI_Status *from, double now) {
  char text[TEXT + 1];
  int bytes = 0;
  const int rank = from->MPI_SOURCE;
  MPI_Get_count(from, MPI_BYTE, &bytes);
  ICL__TRY(
      icl__mpi_check(MPI_Recv(text, TEXT, MPI_BYTE, rank, from->MPI_TAG, life->comm, MPI_STATUS_IGNORE), "MPI_Recv"));
  life->heard[rank] = now;
  if (from->MPI_TAG == TAG_LEAVE)
    memcpy(&life->left_at[rank], text, sizeof *life->left_at);
  if (from->MPI_TAG != TAG_ABORT)
    return ICL_OK;
  text[bytes] = '\0';
  return icl__fail(ICL_EIO, "%s", text);
}

static icl_status take_all(icl__mpi_life *life, double now) {
  for (;;) {
    int there = 0;
    MPI_Status from;
    ICL__TRY(icl__mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, life->comm, &there, &from), "MPI_Iprobe"));
    if (!there)
      return ICL_OK;
    ICL__TRY(take(life, &from, now));
  }
}

icl_status icl__mpi_life_turn(icl__mpi_life *life, const icl__collective *what, uint64_t sequence) {
  const double now = icl__seconds();
  const bool slept = now - life->looked > life->timeout / 2; /* this process itself was stopped */
  life->looked = now;
  if (now - life->said > life->timeout / 5) {
    give_sign(life);
    life->said = now;
  }
  ICL__TRY(take_all(life, now));
  for (int r = 0; r < life->roster->size; r++) {
    if (what && life->left_at[r] <= sequence)
      return icl__left(life->roster, r, what);
    if (slept || !is_there(life, r))
      life->heard[r] = now;
    else if (now - life->heard[r] > life->timeout)
      return icl__silent(life->roster, r, life->timeout);
  }
  return ICL_OK;
}
