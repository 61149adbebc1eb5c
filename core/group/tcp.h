/* tcp.h - the communicator over plain sockets: what its files share.
 *
 * Every rank has a connection to every other. What goes over it are messages: a header, and as many bytes as it says.
 * tcp_meet.c makes the connections, tcp_message.c moves messages, tcp.c cuts collectives into them. */
#ifndef ICL_GROUP_TCP_H
#define ICL_GROUP_TCP_H

#include "group/collective.h"

typedef enum {
  ICL__TCP_HELLO = 1, /* a rank to one that listens: icl__tcp_hello */
  ICL__TCP_ROSTER,    /* rank 0 to the others: icl__tcp_entry of each rank */
  ICL__TCP_ABORT,     /* a text: why the group is lost */
  ICL__TCP_ALIVE,     /* a sign of life */
  ICL__TCP_LEAVE,     /* no message follows */
  ICL__TCP_PIECE      /* of a collective */
} icl__tcp_kind;

/* Numbers as this machine has them: one that has them the other way round is found out by the first word. */
typedef struct {
  uint32_t magic;
  uint16_t kind, collective;
  int32_t dtype, root;
  uint64_t sequence, count;
  uint64_t bytes; /* that follow */
} icl__tcp_header;

enum { ICL__TCP_MAGIC = 0x316c6369, ICL__TCP_TEXT = 1000 };

/* The far end of a connection, and the messages on their way: one each way. */
typedef struct {
  int fd;             /* -1: none, in this rank's own place or when the other has left */
  bool held;          /* the header that came belongs to a collective that has not begun here */
  bool deaf;          /* it takes nothing any more; what it sent is still read */
  double heard, said; /* when bytes came and went last (base/clock.h) */

  icl__tcp_header in;
  size_t in_got; /* bytes of the header that came */
  char *in_to;   /* the rest goes there; set when the header is complete */
  uint64_t in_left;
  char text[ICL__TCP_TEXT + 1];

  icl__tcp_header out;
  const char *out_from;
  size_t out_sent, out_total; /* bytes, with the header; equal: nothing is on its way */
} icl__tcp_peer;

/* ---- tcp_message.c ---- */

/* Puts a message on its way; the one before has gone. */
void icl__tcp_begin(icl__tcp_peer *peer, const icl__tcp_header *header, const void *data);
static inline bool icl__tcp_is_busy(const icl__tcp_peer *peer) { return peer->out_sent < peer->out_total; }
/* Sends what the socket takes. */
void icl__tcp_push(icl__tcp_peer *peer, double now);

typedef enum {
  ICL__TCP_NOTHING, /* has come */
  ICL__TCP_SOME,    /* of a message */
  ICL__TCP_BEGUN,   /* a header is complete: in_to has to be set */
  ICL__TCP_COMPLETE,
  ICL__TCP_END,    /* of the connection */
  ICL__TCP_BROKEN, /* errno says why */
  ICL__TCP_FOREIGN /* what came is no message */
} icl__tcp_event;
icl__tcp_event icl__tcp_pull(icl__tcp_peer *peer, double now);

/* Brings what is on its way, then this, to all of the peers, for `seconds` at most; reads what still comes from them
 * until they close, and closes. */
void icl__tcp_part(icl__tcp_peer *peers, int count, icl__tcp_kind kind, const char *text, double seconds);

/* ---- tcp_meet.c ---- */

/* Meets the others: fills the roster, but for memory, and fd[] with the socket of each rank, -1 in its own place. */
icl_status icl__tcp_meet(const icl__meeting *meeting, icl__roster *roster, int *fd);

#endif
