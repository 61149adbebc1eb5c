/* socket.h - sockets of TCP whose every wait ends: at a moment (base/clock.h), or when `stop` can be read, which is
 * EINTERRUPTED. */
#ifndef ICL_GROUP_SOCKET_H
#define ICL_GROUP_SOCKET_H

#include "base/status.h"

enum { ICL__HOST_TEXT = 256, ICL__NUMERIC_ADDRESS = 48 };

typedef struct {
  char host[ICL__HOST_TEXT];
  int port;
} icl__address;

/* "host:29500" or "[::1]:29500". EINVAL: it is none. */
icl_status icl__address_parse(const char *text, icl__address *result);

/* Takes connections at this port, on the loopback device if the host is localhost, else on all; port 0: any that is
 * free. */
icl_status icl__socket_listen(const icl__address *address, int *fd);
int icl__socket_port(int fd); /* of the near end */

/* The status of a wait, ICL_OK when `fd` is ready for `events` of poll(); EIO: it is too late. */
icl_status icl__socket_wait(int fd, short events, double until, int stop);

/* Tries until someone takes the connection. */
icl_status icl__socket_connect(const icl__address *address, double until, int stop, int *fd);
/* The next connection, and in `from` the address of its far end as numbers. EIO: it is too late;
 * ENOTSUP: the system has no room for another one. */
icl_status icl__socket_accept(int listening, double until, int stop, int *fd, char from[ICL__NUMERIC_ADDRESS]);

/* All the bytes or an error with no more than the reason in its message: "it ended", "it is silent". */
icl_status icl__socket_write(int fd, const void *data, size_t bytes, double until, int stop);
icl_status icl__socket_read(int fd, void *data, size_t bytes, double until, int stop);

#endif
