/* tcp.c - see tcp.h. A collective is, for each other rank, a flow of pieces to it and one from it.
 *
 * Of a sum each rank adds one shard. First every rank gets, in pieces, what the others have for its shard; what it has
 * added goes out to all as soon as the piece is complete, while later ones still come in. Pieces that cannot be added
 * yet wait in a window of scratch memory; beyond it a rank is not read, so that one which is ahead fills no memory.
 * Sums of a few elements are added by every rank for itself, which saves the way back. */
#include "group/tcp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

enum { LEAST_PIECE = 64 << 10, MOST_PIECE = 512 << 10, PIECES = 4 << 20, WINDOW = 4, SMALL = 64 << 10 };

/* Bytes that go or come in pieces; no bytes are one empty piece. */
typedef struct {
  char *data;
  size_t bytes, pieces; /* 0 pieces: nothing goes, not even that */
} segment;

typedef struct {
  segment apart, whole; /* shards to be added; then sums, or whatever needs no adding */
  size_t done;          /* pieces of both that have gone, or come */
} flow;

typedef struct {
  icl__meeting meeting;
  const icl__roster *roster;
  int rank, size;
  size_t piece; /* bytes of all pieces but the last */
  double looked;
  icl__tcp_peer *peer;
  struct pollfd *poll;

  const icl__collective *what; /* that runs; NULL: none */
  icl__collective before;      /* the one that ran last */
  uint64_t sequence;
  flow *in, *out;
  const void **source;        /* of each rank, for a sum */
  size_t shard_pieces, added; /* of this rank's shard: pieces, and how many of them are added */
  icl__scratch scratch;
} tcp;

/* ---- pieces ---- */

static segment make_segment(const tcp *t, const void *data, size_t bytes) {
  return (segment){(char *)data, bytes, bytes ? (bytes + t->piece - 1) / t->piece : 1};
}

static size_t piece_bytes(const tcp *t, const segment *s, size_t index) {
  size_t from = index * t->piece;
  return s->bytes - from < t->piece ? s->bytes - from : t->piece;
}

static size_t pieces_of(const flow *f) { return f->apart.pieces + f->whole.pieces; }
static bool is_apart(const flow *f) { return f->done < f->apart.pieces; }

/* Where piece `index` of the shard of this rank waits until it is added. */
static char *waiting(const tcp *t, int rank, size_t index) {
  return t->scratch.data + (index % WINDOW * (size_t)t->size + (size_t)rank) * t->piece;
}

/* Does what comes next from this rank have no place yet? */
static bool is_ahead(const tcp *t, int rank) {
  const flow *f = &t->in[rank];
  return t->what && is_apart(f) && f->done >= t->added + WINDOW;
}

static icl__tcp_header header_of(const tcp *t, size_t bytes) {
  return (icl__tcp_header){.kind = ICL__TCP_PIECE,
                           .collective = (uint16_t)t->what->kind,
                           .dtype = t->what->dtype,
                           .root = t->what->root,
                           .sequence = t->sequence,
                           .count = t->what->count,
                           .bytes = bytes};
}

/* Puts the next piece for this rank on its way, if there is one. */
static bool begin_piece(tcp *t, int rank) {
  flow *f = &t->out[rank];
  if (!t->what || f->done == pieces_of(f))
    return false;
  bool apart = is_apart(f);
  size_t index = apart ? f->done : f->done - f->apart.pieces;
  if (!apart && f->apart.pieces && index >= t->added)
    return false;
  const segment *s = apart ? &f->apart : &f->whole;
  icl__tcp_header head = header_of(t, piece_bytes(t, s, index));
  icl__tcp_begin(&t->peer[rank], &head, s->data + index * t->piece);
  f->done++;
  return true;
}

/* ---- adding ---- */

/* Adds `bytes` from `offset` on of what this rank has to what has come from the others: source[] of each. */
static void add(tcp *t, size_t offset, size_t bytes) {
  t->source[t->rank] = (const char *)t->what->mine + offset;
  icl__add_in_order(t->what->dtype, (char *)t->what->result + offset, t->size, t->source,
                    bytes / icl_dtype_bytes(t->what->dtype));
}

/* Adds the pieces of this rank's shard that have come from all. */
static void add_pieces(tcp *t) {
  const size_t element = icl_dtype_bytes(t->what->dtype);
  const size_t shard = icl__shard_first(t->what->count, t->size, t->rank) * element;
  for (;;) {
    for (int r = 0; r < t->size; r++)
      if (r != t->rank && t->in[r].done <= t->added)
        return;
    if (t->added == t->shard_pieces)
      return;
    for (int r = 0; r < t->size; r++)
      t->source[r] = waiting(t, r, t->added);
    size_t from = t->added * t->piece, end = icl__shard_first(t->what->count, t->size, t->rank + 1) * element - shard;
    add(t, shard + from, end - from < t->piece ? end - from : t->piece);
    t->added++;
  }
}

/* ---- failures ---- */

static icl_status fail(const tcp *t, int rank, const char *what) {
  return icl__fail(ICL_EIO, "rank %d on %s %s", rank, t->roster->host[rank], what);
}

static icl_status fail_ended(const tcp *t, int rank) {
  return fail(t, rank, "ended without a word; it was killed or crashed");
}

/* ---- messages that come ---- */

static bool is_owed(const tcp *t, int rank) {
  return t->what && (t->in[rank].done < pieces_of(&t->in[rank]) || t->out[rank].done < pieces_of(&t->out[rank]));
}

/* Where a piece that begins goes; one of a collective that has not begun here is held. */
static icl_status place_piece(tcp *t, int rank) {
  icl__tcp_peer *peer = &t->peer[rank];
  const icl__tcp_header *head = &peer->in;
  peer->held = !t->what || head->sequence > t->sequence;
  if (peer->held)
    return ICL_OK;
  icl__collective theirs = {head->collective, (icl_dtype)head->dtype, head->root, head->count, NULL, NULL};
  /* One that does not wait for this rank may have ended here, although that rank does another thing. */
  const icl__collective *mine = head->sequence + 1 == t->sequence ? &t->before : t->what;
  flow *f = &t->in[rank];
  ICL__TRY(icl__collective_check(t->roster, mine, rank, &theirs));
  bool apart = is_apart(f);
  size_t index = apart ? f->done : f->done - f->apart.pieces;
  const segment *s = apart ? &f->apart : &f->whole;
  if (head->sequence != t->sequence || f->done == pieces_of(f) || head->bytes != piece_bytes(t, s, index))
    return fail(t, rank, "sent a piece that does not fit; all ranks need one version of icl");
  peer->in_to = apart ? waiting(t, rank, index) : s->data + index * t->piece;
  return ICL_OK;
}

static icl_status take_message(tcp *t, int rank) {
  icl__tcp_peer *peer = &t->peer[rank];
  switch (peer->in.kind) {
  case ICL__TCP_ABORT:
    peer->text[peer->in.bytes] = '\0';
    return icl__fail(ICL_EIO, "%s", peer->text);
  case ICL__TCP_LEAVE:
    if (is_owed(t, rank))
      return icl__left(t->roster, rank, t->what);
    close(peer->fd);
    peer->fd = -1;
    return ICL_OK;
  case ICL__TCP_PIECE:
    t->in[rank].done++;
    if (t->in[rank].done <= t->in[rank].apart.pieces)
      add_pieces(t);
    return ICL_OK;
  default:
    return ICL_OK;
  }
}

static bool is_read(const tcp *t, int rank) {
  const icl__tcp_peer *peer = &t->peer[rank];
  return peer->fd >= 0 && !peer->held && !is_ahead(t, rank);
}

/* What has come from this rank, up to the end of a message: others have their turn then. */
static icl_status receive(tcp *t, int rank, double now) {
  icl__tcp_peer *peer = &t->peer[rank];
  while (is_read(t, rank)) {
    switch (icl__tcp_pull(peer, now)) {
    case ICL__TCP_NOTHING:
      return ICL_OK;
    case ICL__TCP_SOME:
      break;
    case ICL__TCP_BEGUN:
      if (peer->in.kind == ICL__TCP_PIECE)
        ICL__TRY(place_piece(t, rank));
      break;
    case ICL__TCP_COMPLETE:
      return take_message(t, rank);
    case ICL__TCP_BROKEN:
      if (errno == ECONNRESET || errno == EPIPE) /* it ended with something unread */
        return fail_ended(t, rank);
      return icl__fail(ICL_EIO, "rank %d on %s: the connection broke: %s", rank, t->roster->host[rank],
                       strerror(errno));
    case ICL__TCP_END:
      return fail_ended(t, rank);
    case ICL__TCP_FOREIGN:
      return fail(t, rank, "sent what is no message; all ranks need one version of icl");
    }
  }
  return ICL_OK;
}

/* ---- turns ---- */

static double interval(const tcp *t) { return t->meeting.timeout / 5; }

static void send(tcp *t, int rank, double now) {
  icl__tcp_peer *peer = &t->peer[rank];
  static const icl__tcp_header alive = {.kind = ICL__TCP_ALIVE};
  icl__tcp_push(peer, now);
  while (!icl__tcp_is_busy(peer) && begin_piece(t, rank))
    icl__tcp_push(peer, now);
  if (!icl__tcp_is_busy(peer) && now - peer->said >= interval(t)) {
    icl__tcp_begin(peer, &alive, NULL);
    icl__tcp_push(peer, now);
  }
}

/* Has every rank given signs of life? A rank that is not read may have given them. */
static icl_status watch(tcp *t, double now) {
  bool slept = now - t->looked > t->meeting.timeout / 2; /* this process itself was stopped, or its machine */
  for (int r = 0; r < t->size; r++) {
    icl__tcp_peer *peer = &t->peer[r];
    if (slept || !is_read(t, r))
      peer->heard = now;
    else if (now - peer->heard > t->meeting.timeout)
      return icl__silent(t->roster, r, t->meeting.timeout);
  }
  t->looked = now;
  return ICL_OK;
}

static bool is_finished(const tcp *t) {
  for (int r = 0; r < t->size; r++)
    if (is_owed(t, r) || icl__tcp_is_busy(&t->peer[r]))
      return false;
  return true;
}

/* Sends and receives what can be, after waiting until there is something. *woken: `work` can be read, which is waited
 * for where no collective runs. */
static icl_status turn(tcp *t, bool *woken) {
  const int size = t->size;
  struct pollfd *stop = &t->poll[size], *work = &t->poll[size + 1];
  double now = icl__seconds();
  for (int r = 0; r < size; r++) {
    t->poll[r] = (struct pollfd){.fd = -1};
    if (t->peer[r].fd < 0)
      continue;
    send(t, r, now);
    bool writes = icl__tcp_is_busy(&t->peer[r]) && !t->peer[r].deaf;
    t->poll[r].fd = t->peer[r].fd;
    t->poll[r].events = (short)((is_read(t, r) ? POLLIN : 0) | (writes ? POLLOUT : 0));
    if (!t->poll[r].events)
      t->poll[r].fd = -1; /* a connection that has ended would wake us again and again */
  }
  if (t->what && is_finished(t))
    return watch(t, now); /* there is nothing to wait for */
  *stop = (struct pollfd){.fd = t->meeting.stop, .events = POLLIN};
  *work = (struct pollfd){.fd = t->what ? -1 : t->meeting.work, .events = POLLIN};
  int ready = poll(t->poll, (nfds_t)size + 2, (int)(1000 * interval(t)) + 1);
  if (ready < 0 && errno != EINTR && errno != EAGAIN)
    return icl__fail(ICL_EIO, "rank %d on %s: poll: %s", t->rank, t->roster->host[t->rank], strerror(errno));
  if (ready > 0 && stop->revents)
    return icl__fail(ICL_EINTERRUPTED, "the group ends");
  *woken = ready > 0 && work->revents;
  now = icl__seconds();
  for (int r = 0; r < size && ready > 0; r++)
    if (t->poll[r].fd >= 0 && t->poll[r].revents)
      ICL__TRY(receive(t, r, now));
  return watch(t, now);
}

/* ---- collectives ---- */

static bool is_small(const tcp *t) {
  return t->what->count * icl_dtype_bytes(t->what->dtype) <= SMALL / (size_t)t->size;
}

static icl_status plan_sum(tcp *t) {
  const icl__collective *what = t->what;
  const size_t element = icl_dtype_bytes(what->dtype), bytes = what->count * element;
  if (is_small(t)) {
    ICL__TRY(icl__scratch_reserve(&t->scratch, bytes * (size_t)t->size));
    for (int r = 0; r < t->size; r++) {
      t->out[r].whole = make_segment(t, what->mine, bytes);
      t->in[r].whole = make_segment(t, t->scratch.data + (size_t)r * bytes, bytes);
    }
    return ICL_OK;
  }
  for (int r = 0; r < t->size; r++) {
    size_t from = icl__shard_first(what->count, t->size, r) * element;
    size_t end = icl__shard_first(what->count, t->size, r + 1) * element;
    t->out[r].apart = make_segment(t, (const char *)what->mine + from, end - from);
    t->in[r].whole = make_segment(t, (char *)what->result + from, end - from);
  }
  segment own = t->in[t->rank].whole;
  t->shard_pieces = own.pieces;
  for (int r = 0; r < t->size; r++) {
    t->out[r].whole = own;
    t->in[r].apart = (segment){NULL, own.bytes, own.pieces};
  }
  return icl__scratch_reserve(&t->scratch, (own.pieces < WINDOW ? own.pieces : WINDOW) * (size_t)t->size * t->piece);
}

static void plan_gather(tcp *t) {
  const icl__collective *what = t->what;
  for (int r = 0; r < t->size; r++) {
    char *place = (char *)what->result + (size_t)r * what->count;
    t->out[r].whole = make_segment(t, what->mine, what->count);
    t->in[r].whole = make_segment(t, place, what->count);
    if (r == t->rank && what->count && place != what->mine)
      memcpy(place, what->mine, what->count);
  }
}

static void plan_broadcast(tcp *t) {
  const icl__collective *what = t->what;
  segment all = make_segment(t, what->result, what->count);
  if (t->rank != what->root)
    t->in[what->root].whole = all;
  for (int r = 0; r < t->size && t->rank == what->root; r++)
    t->out[r].whole = all;
}

static icl_status plan(tcp *t) {
  memset(t->in, 0, sizeof *t->in * (size_t)t->size);
  memset(t->out, 0, sizeof *t->out * (size_t)t->size);
  t->added = t->shard_pieces = 0;
  if (t->what->kind == ICL__SUM)
    ICL__TRY(plan_sum(t));
  else if (t->what->kind == ICL__BROADCAST)
    plan_broadcast(t);
  else
    plan_gather(t);
  t->in[t->rank] = t->out[t->rank] = (flow){0};
  return ICL_OK;
}

static icl_status carry_out(tcp *t) {
  ICL__TRY(plan(t));
  for (int r = 0; r < t->size; r++) {
    if (t->peer[r].fd < 0 && is_owed(t, r))
      return icl__left(t->roster, r, t->what);
    if (!t->peer[r].held)
      continue;
    ICL__TRY(place_piece(t, r));
    ICL__TRY(receive(t, r, icl__seconds())); /* an empty piece is all there: nothing more would wake us */
  }
  if (t->shard_pieces)
    add_pieces(t); /* a rank that is alone */
  bool woken;
  while (!is_finished(t))
    ICL__TRY(turn(t, &woken));
  if (t->what->kind == ICL__SUM && !t->shard_pieces) {
    size_t bytes = t->what->count * icl_dtype_bytes(t->what->dtype);
    for (int r = 0; r < t->size; r++)
      t->source[r] = t->scratch.data + (size_t)r * bytes;
    add(t, 0, bytes);
  }
  return ICL_OK;
}

static icl_status run(void *state, const icl__collective *what, uint64_t sequence) {
  tcp *t = state;
  t->what = what;
  t->sequence = sequence;
  icl_status status = carry_out(t);
  t->before = *what;
  t->what = NULL;
  return status;
}

static icl_status idle(void *state) {
  bool woken = false;
  while (!woken)
    ICL__TRY(turn(state, &woken));
  return ICL_OK;
}

/* ---- beginning and end ---- */

static void free_all(tcp *t) {
  for (int r = 0; t->peer && r < t->size; r++)
    if (t->peer[r].fd >= 0)
      close(t->peer[r].fd);
  icl__free(t->peer);
  icl__free(t->poll);
  icl__free(t->in);
  icl__free(t->out);
  icl__free(t->source);
  icl__free(t->scratch.data);
  icl__free(t);
}

static icl_status make(const icl__meeting *meeting, tcp **result) {
  const size_t size = (size_t)meeting->size;
  tcp *t = *result = icl__calloc(1, sizeof *t);
  if (!t)
    return ICL_ENOMEM;
  t->meeting = *meeting;
  t->rank = meeting->rank;
  t->size = meeting->size;
  t->piece = PIECES / size < LEAST_PIECE ? LEAST_PIECE : PIECES / size / LEAST_PIECE * LEAST_PIECE;
  if (t->piece > MOST_PIECE)
    t->piece = MOST_PIECE;
  t->peer = icl__calloc(size, sizeof *t->peer);
  t->poll = icl__calloc(size + 2, sizeof *t->poll);
  t->in = icl__calloc(size, sizeof *t->in);
  t->out = icl__calloc(size, sizeof *t->out);
  t->source = icl__calloc(size, sizeof *t->source);
  for (int r = 0; t->peer && r < t->size; r++)
    t->peer[r].fd = -1;
  return t->peer && t->poll && t->in && t->out && t->source ? ICL_OK : ICL_ENOMEM;
}

static icl_status meet(tcp *t, icl__roster *roster) {
  int *fd = icl__alloc((size_t)t->size, sizeof *fd);
  roster->rank = t->rank;
  roster->size = t->size;
  roster->host = icl__calloc((size_t)t->size, sizeof *roster->host);
  if (!fd || !roster->host) {
    icl__free(fd);
    return ICL_ENOMEM;
  }
  for (int r = 0; r < t->size; r++)
    fd[r] = -1;
  icl_status status = icl__tcp_meet(&t->meeting, roster, fd);
  t->looked = icl__seconds();
  for (int r = 0; r < t->size; r++) {
    t->peer[r].fd = fd[r];
    t->peer[r].heard = t->peer[r].said = t->looked;
  }
  icl__free(fd);
  return status;
}

static icl_status open(const icl__meeting *meeting, icl__roster *roster, void **state) {
  tcp *t;
  icl_status status = make(meeting, &t);
  if (status == ICL_OK) {
    t->roster = roster;
    status = meet(t, roster);
  }
  if (status == ICL_OK)
    *state = t;
  else if (t)
    free_all(t);
  return status;
}

enum { PARTING_SECONDS = 2 };

static void abort_all(void *state, const char *text) {
  tcp *t = state;
  icl__tcp_part(t->peer, t->size, ICL__TCP_ABORT, text, PARTING_SECONDS);
}

static void close_all(void *state) {
  tcp *t = state;
  icl__tcp_part(t->peer, t->size, ICL__TCP_LEAVE, "", PARTING_SECONDS);
  free_all(t);
}

const icl__communicator icl__tcp = {ICL__COMMUNICATOR_ABI, "tcp", open, run, idle, abort_all, close_all};
