/* life.h - signs of life between the ranks, and the last words of those that go, beside the collectives.
 *
 * A launcher of MPI ends all when a process of its own dies. It does not notice one that is stopped, nor a machine that
 * does not answer. */
#ifndef ICL_GROUP_MPI_LIFE_H
#define ICL_GROUP_MPI_LIFE_H

#include <mpi.h>

#include "group/collective.h"

typedef struct {
  MPI_Comm comm; /* of nothing else */
  const icl__roster *roster;
  double timeout, said, looked;
  double *heard;     /* when each rank gave a sign of life (base/clock.h) */
  uint64_t *left_at; /* collectives that it took part in before it left; UINT64_MAX: it is there */
  MPI_Request *sent; /* what goes to each rank */
  uint64_t leaving;  /* what this rank sends when it leaves, which may outlast the call */
} icl__mpi_life;

icl_status icl__mpi_check(int error, const char *what); /* EIO unless it is MPI_SUCCESS */

icl_status icl__mpi_life_open(icl__mpi_life *life, const icl__roster *roster, double timeout);
void icl__mpi_life_close(icl__mpi_life *life); /* but for the communicator, which ends with MPI */

/* Gives a sign of life if one is due, and takes those of the others. `what`, NULL between collectives, is number
 * `sequence`. */
icl_status icl__mpi_life_turn(icl__mpi_life *life, const icl__collective *what, uint64_t sequence);

/* Last words, for `seconds` at most: why the group is lost; or, for NULL, that this rank leaves after so many
 * collectives. */
void icl__mpi_life_part(icl__mpi_life *life, const char *why, uint64_t sequence, double seconds);

#endif
