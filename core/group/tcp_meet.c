/* tcp_meet.c - how the ranks find each other.
 *
 * Rank 0 listens at the address of the group, the others at ports of their own. These say hello to rank 0, which sends
 * all of them the roster when the last one has come. Each then connects to those below it, and takes the connections of
 * those above. A stranger's connection is dropped. */
#include "group/tcp.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "group/socket.h"

typedef struct {
  int32_t rank, size, port;
  char host[ICL__HOST_NAME];
} hello;

typedef struct {
  char host[ICL__HOST_NAME], address[ICL__NUMERIC_ADDRESS]; /* as rank 0 sees it; "": it runs on the host of rank 0 */
  int32_t port;
} entry;

typedef struct {
  const icl__meeting *meeting;
  icl__roster *roster;
  icl__address address;
  double until;
  int listening, *fd;
  entry *entries; /* of each rank */
} meet;

/* ---- messages ---- */

static icl_status send_message(const meet *m, int fd, icl__tcp_kind kind, const void *data, size_t bytes) {
  icl__tcp_header head = {.magic = ICL__TCP_MAGIC, .kind = (uint16_t)kind, .bytes = bytes};
  ICL__TRY(icl__socket_write(fd, &head, sizeof head, m->until, m->meeting->stop));
  return icl__socket_write(fd, data, bytes, m->until, m->meeting->stop);
}

/* A message of this kind and size; a text of the other side is the error. */
static icl_status receive_message(const meet *m, int fd, double until, icl__tcp_kind kind, void *data, size_t bytes) {
  icl__tcp_header head;
  char text[ICL__TCP_TEXT + 1] = "";
  ICL__TRY(icl__socket_read(fd, &head, sizeof head, until, m->meeting->stop));
  if (head.magic == ICL__TCP_MAGIC && head.kind == ICL__TCP_ABORT && head.bytes <= ICL__TCP_TEXT) {
    ICL__TRY(icl__socket_read(fd, text, head.bytes, until, m->meeting->stop));
    return icl__fail(ICL_EIO, "%s", text);
  }
  if (head.magic != ICL__TCP_MAGIC || head.kind != kind || head.bytes != bytes)
    return icl__fail(ICL_EIO, "it speaks another language; all ranks need one version of icl");
  return icl__socket_read(fd, data, bytes, until, m->meeting->stop);
}

static void refuse(const meet *m, int fd, const char *text) {
  meet soon = *m;
  soon.until = icl__seconds() + 1; /* whoever it is may not hold up the others */
  if (fd >= 0)
    send_message(&soon, fd, ICL__TCP_ABORT, text, strlen(text));
}

/* Ends the wait of all who have come with the message of an error, and returns that. */
static icl_status refuse_all(const meet *m, icl_status status) {
  char text[ICL__TCP_TEXT];
  snprintf(text, sizeof text, "%s", icl_message());
  for (int r = 1; r < m->meeting->size; r++)
    refuse(m, m->fd[r], text);
  return icl__fail(status, "%s", text);
}

static hello own_hello(const meet *m) {
  hello own = {m->meeting->rank, m->meeting->size, icl__socket_port(m->listening), ""};
  gethostname(own.host, sizeof own.host - 1);
  return own;
}

static icl_status say_hello(const meet *m, int fd) {
  hello own = own_hello(m);
  return send_message(m, fd, ICL__TCP_HELLO, &own, sizeof own);
}

/* The next who comes and says hello as one of this group. */
static icl_status take_hello(const meet *m, int least, int *fd, hello *who, char from[ICL__NUMERIC_ADDRESS]) {
  enum { HELLO_SECONDS = 5 };
  for (;;) {
    char text[ICL__TCP_TEXT];
    ICL__TRY(icl__socket_accept(m->listening, m->until, m->meeting->stop, fd, from));
    double end = icl__seconds() + HELLO_SECONDS;
    icl_status status = receive_message(m, *fd, end < m->until ? end : m->until, ICL__TCP_HELLO, who, sizeof *who);
    if (status == ICL_EINTERRUPTED) {
      close(*fd);
      return status;
    }
    if (status == ICL_OK) {
      who->host[sizeof who->host - 1] = '\0';
      if (who->size == m->meeting->size && who->rank >= least && who->rank < who->size && m->fd[who->rank] < 0)
        return ICL_OK;
      if (who->size != m->meeting->size)
        snprintf(text, sizeof text, "the group at %s has %d ranks, not %d", m->meeting->address, m->meeting->size,
                 who->size);
      else
        snprintf(text, sizeof text, "rank %d is there already at %s; do two runs use one address?", who->rank,
                 m->meeting->address);
      refuse(m, *fd, text);
    }
    close(*fd);
  }
}

/* ---- rank 0 ---- */

/* Has one of those who came gone again? */
static int first_gone(const meet *m) {
  for (int r = 1; r < m->meeting->size; r++) {
    struct pollfd p = {.fd = m->fd[r], .events = POLLIN | POLLRDHUP};
    if (m->fd[r] >= 0 && poll(&p, 1, 0) > 0)
      return r;
  }
  return 0;
}

static icl_status who_is_missing(const meet *m) {
  icl__text list = {0};
  int missing = 0;
  for (int r = 1; r < m->meeting->size; r++)
    if (m->fd[r] < 0)
      icl__say(&list, "%s%d", missing++ ? ", " : "", r);
  icl_status status =
      icl__fail(ICL_EIO, "rank%s %s of %d did not come to %s within %g s", missing == 1 ? "" : "s",
                list.text ? list.text : "1", m->meeting->size, m->meeting->address, m->meeting->start_timeout);
  icl__free(list.text);
  return status;
}

static icl_status gather_ranks(meet *m) {
  double until = m->until;
  for (int missing = m->meeting->size - 1; missing > 0; missing--) {
    int fd, gone;
    hello who;
    char from[ICL__NUMERIC_ADDRESS];
    icl_status status;
    do { /* looks around now and then */
      double soon = icl__seconds() + 0.5;
      m->until = soon < until ? soon : until;
      status = take_hello(m, 1, &fd, &who, from);
      m->until = until;
      gone = first_gone(m);
    } while (status == ICL_EIO && !gone && icl__seconds() < until);
    if (gone) {
      if (status == ICL_OK)
        close(fd);
      return icl__fail(ICL_EIO, "rank %d on %s ended before all ranks were there", gone, m->entries[gone].host);
    }
    if (status != ICL_OK)
      return status == ICL_EIO ? who_is_missing(m) : status;
    m->fd[who.rank] = fd;
    entry *e = &m->entries[who.rank];
    memcpy(e->host, who.host, sizeof e->host);
    memcpy(e->address, from, sizeof e->address);
    e->port = who.port;
  }
  return ICL_OK;
}

static icl_status lead(meet *m) {
  hello own = own_hello(m);
  memcpy(m->entries[0].host, own.host, sizeof own.host);
  icl_status status = gather_ranks(m);
  for (int r = 1; r < m->meeting->size && status == ICL_OK; r++) {
    status = send_message(m, m->fd[r], ICL__TCP_ROSTER, m->entries, sizeof *m->entries * (size_t)m->meeting->size);
    if (status == ICL_EIO)
      status = icl__wrap(status, "rank %d on %s", r, m->entries[r].host);
  }
  return status == ICL_OK ? status : refuse_all(m, status);
}

/* ---- the others ---- */

static icl_status connect_to(const meet *m, int rank, const icl__address *address) {
  ICL__TRY(icl__socket_connect(address, m->until, m->meeting->stop, &m->fd[rank]));
  return say_hello(m, m->fd[rank]);
}

static icl_status meet_leader(meet *m) {
  enum { MORE_SECONDS = 5 }; /* rank 0, which may have begun later, is to say who did not come */
  ICL__TRY(connect_to(m, 0, &m->address));
  m->until += MORE_SECONDS;
  return receive_message(m, m->fd[0], m->until, ICL__TCP_ROSTER, m->entries,
                         sizeof *m->entries * (size_t)m->meeting->size);
}

static icl_status meet_others(meet *m) {
  const int own = m->meeting->rank;
  for (int r = 1; r < own; r++) {
    entry *e = &m->entries[r];
    e->host[sizeof e->host - 1] = e->address[sizeof e->address - 1] = '\0';
    icl__address at = {.port = e->port};
    snprintf(at.host, sizeof at.host, "%s", e->address[0] ? e->address : m->address.host);
    icl_status status = connect_to(m, r, &at);
    if (status == ICL_EIO)
      return icl__wrap(status, "rank %d cannot reach rank %d on %s", own, r, e->host);
    ICL__TRY(status);
  }
  for (int missing = m->meeting->size - 1 - own; missing > 0; missing--) {
    int fd;
    hello who;
    char from[ICL__NUMERIC_ADDRESS];
    icl_status status = take_hello(m, own + 1, &fd, &who, from);
    if (status == ICL_EIO)
      return icl__fail(ICL_EIO, "rank %d still waits for %d of the ranks above it after %g s", own, missing,
                       m->meeting->start_timeout);
    ICL__TRY(status);
    m->fd[who.rank] = fd;
  }
  return ICL_OK;
}

/* ---- both ---- */

static icl_status meet_all(meet *m) {
  const int rank = m->meeting->rank, size = m->meeting->size;
  if (size == 1) {
    gethostname(m->roster->host[0], ICL__HOST_NAME - 1);
    return ICL_OK;
  }
  ICL__TRY(icl__address_parse(m->meeting->address, &m->address));
  icl__address own = m->address;
  if (rank > 0)
    own.port = 0;
  ICL__TRY(icl__socket_listen(&own, &m->listening));
  if (rank == 0) {
    ICL__TRY(lead(m));
  } else {
    icl_status status = meet_leader(m);
    if (status == ICL_EIO)
      return icl__wrap(status, "rank %d of %d does not meet rank 0 at %s", rank, size, m->meeting->address);
    ICL__TRY(status);
    ICL__TRY(meet_others(m));
  }
  for (int r = 0; r < size; r++)
    memcpy(m->roster->host[r], m->entries[r].host, ICL__HOST_NAME);
  return ICL_OK;
}

icl_status icl__tcp_meet(const icl__meeting *meeting, icl__roster *roster, int *fd) {
  meet m = {.meeting = meeting, .roster = roster, .listening = -1, .fd = fd};
  m.until = icl__seconds() + meeting->start_timeout;
  m.entries = icl__calloc((size_t)meeting->size, sizeof *m.entries);
  if (!m.entries)
    return ICL_ENOMEM;
  icl_status status = meet_all(&m);
  if (m.listening >= 0)
    close(m.listening);
  icl__free(m.entries);
  return status;
}
