/* tcp_message.c - messages over sockets that do not wait. */
#include "group/tcp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

/* ---- sending ---- */

void icl__tcp_begin(icl__tcp_peer *peer, const icl__tcp_header *header, const void *data) {
  peer->out = *header;
  peer->out.magic = ICL__TCP_MAGIC;
  peer->out_from = data;
  peer->out_sent = 0;
  peer->out_total = sizeof peer->out + header->bytes;
}

static ssize_t send_rest(icl__tcp_peer *peer) {
  const size_t head = sizeof peer->out;
  struct iovec part[2];
  struct msghdr message = {.msg_iov = part};
  if (peer->out_sent < head)
    part[message.msg_iovlen++] = (struct iovec){(char *)&peer->out + peer->out_sent, head - peer->out_sent};
  size_t from = peer->out_sent < head ? 0 : peer->out_sent - head;
  if (peer->out_total > head + from)
    part[message.msg_iovlen++] = (struct iovec){(char *)peer->out_from + from, peer->out_total - head - from};
  return sendmsg(peer->fd, &message, MSG_NOSIGNAL);
}

void icl__tcp_push(icl__tcp_peer *peer, double now) {
  while (icl__tcp_is_busy(peer) && !peer->deaf) {
    ssize_t n = send_rest(peer);
    if (n >= 0) {
      peer->out_sent += (size_t)n;
      peer->said = now;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      peer->deaf = true; /* the reason may be among what it sent before */
    }
  }
}

/* ---- receiving ---- */

static bool is_message(const icl__tcp_header *h) {
  if (h->magic != ICL__TCP_MAGIC)
    return false;
  if (h->kind == ICL__TCP_ABORT)
    return h->bytes <= ICL__TCP_TEXT;
  return h->kind == ICL__TCP_PIECE || ((h->kind == ICL__TCP_ALIVE || h->kind == ICL__TCP_LEAVE) && h->bytes == 0);
}

icl__tcp_event icl__tcp_pull(icl__tcp_peer *peer, double now) {
  const size_t head = sizeof peer->in;
  bool in_header = peer->in_got < head;
  if (!in_header && peer->in_left == 0) {
    peer->in_got = 0;
    return ICL__TCP_COMPLETE;
  }
  ssize_t n = in_header ? recv(peer->fd, (char *)&peer->in + peer->in_got, head - peer->in_got, 0)
                        : recv(peer->fd, peer->in_to, peer->in_left, 0);
  if (n == 0)
    return ICL__TCP_END;
  if (n < 0)
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ICL__TCP_NOTHING : ICL__TCP_BROKEN;
  peer->heard = now;
  if (!in_header) {
    peer->in_to += n;
    peer->in_left -= (uint64_t)n;
    return ICL__TCP_SOME;
  }
  peer->in_got += (size_t)n;
  if (peer->in_got < head)
    return ICL__TCP_SOME;
  if (!is_message(&peer->in))
    return ICL__TCP_FOREIGN;
  peer->in_to = peer->text;
  peer->in_left = peer->in.bytes;
  return ICL__TCP_BEGUN;
}

/* ---- parting ---- */

/* Reads what comes, to no purpose; false when there will be no more. */
static bool drain(int fd) {
  char waste[4096];
  ssize_t n = recv(fd, waste, sizeof waste, 0);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

/* A socket that is closed while there is something to read takes back what the other end has not read yet. */
static void settle(icl__tcp_peer *peers, int count, const icl__tcp_header *last, const char *text, bool *said,
                   double until) {
  struct pollfd *fds = icl__calloc((size_t)count, sizeof *fds);
  int open = fds ? count : 0;
  while (open > 0 && icl__seconds() < until) {
    open = 0;
    for (int r = 0; r < count; r++) {
      icl__tcp_peer *peer = &peers[r];
      fds[r] = (struct pollfd){.fd = -1};
      if (peer->fd < 0)
        continue;
      icl__tcp_push(peer, 0);
      if (!icl__tcp_is_busy(peer) && !said[r]) {
        said[r] = true;
        icl__tcp_begin(peer, last, text);
        icl__tcp_push(peer, 0);
      }
      bool busy = icl__tcp_is_busy(peer) && !peer->deaf;
      if (!busy)
        shutdown(peer->fd, SHUT_WR);
      fds[r] = (struct pollfd){.fd = peer->fd, .events = busy ? POLLIN | POLLOUT : POLLIN};
      open++;
    }
    double left = until - icl__seconds();
    if (open == 0 || left <= 0 || poll(fds, (nfds_t)count, (int)(1000 * left) + 1) <= 0)
      continue;
    for (int r = 0; r < count; r++)
      if (fds[r].fd >= 0 && fds[r].revents && !drain(fds[r].fd)) {
        close(peers[r].fd);
        peers[r].fd = -1;
      }
  }
  icl__free(fds);
}

void icl__tcp_part(icl__tcp_peer *peers, int count, icl__tcp_kind kind, const char *text, double seconds) {
  icl__tcp_header last = {.kind = (uint16_t)kind, .bytes = strlen(text)};
  bool *said = icl__calloc((size_t)count, sizeof *said);
  if (last.bytes > ICL__TCP_TEXT)
    last.bytes = ICL__TCP_TEXT;
  if (said)
    settle(peers, count, &last, text, said, icl__seconds() + seconds);
  for (int r = 0; r < count; r++)
    if (peers[r].fd >= 0) {
      close(peers[r].fd);
      peers[r].fd = -1;
    }
  icl__free(said);
}
