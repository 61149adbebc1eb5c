/* socket.c - see socket.h. */
#include "group/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- addresses ---- */

icl_status icl__address_parse(const char *text, icl__address *result) {
  const char *colon = strrchr(text, ':'), *host = text, *end = colon;
  if (colon && *text == '[' && colon > text && colon[-1] == ']') {
    host++;
    end--;
  }
  size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
  bool is_one = digits && digits <= 5 && !colon[1 + digits] && end > host && end - host < ICL__HOST_TEXT;
  result->port = is_one ? atoi(colon + 1) : 0;
  if (!is_one || result->port < 1 || result->port > 65535)
    return icl__fail(ICL_EINVAL, "'%s' is no address of a group; it is like node1:29500", text);
  snprintf(result->host, sizeof result->host, "%.*s", (int)(end - host), host);
  return ICL_OK;
}

static icl_status resolve(const icl__address *address, struct addrinfo **result) {
  char port[8];
  snprintf(port, sizeof port, "%d", address->port);
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int error = getaddrinfo(address->host, port, &hints, result);
  if (error)
    return icl__fail(ICL_EIO, "host '%s' of the group's address is not known: %s", address->host,
                     error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
  return ICL_OK;
}

static bool is_loopback(const struct sockaddr *a) {
  if (a->sa_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
  return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* ---- waiting ---- */

icl_status icl__socket_wait(int fd, short events, double until, int stop) {
  for (;;) {
    double left = until - icl__seconds();
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = stop, .events = POLLIN}};
    int ready = poll(fds, 2, left > 0 ? (int)(1000 * left) + 1 : 0);
    if (ready < 0 && errno != EINTR && errno != EAGAIN)
      return icl__fail(ICL_EIO, "poll: %s", strerror(errno));
    if (ready > 0 && fds[1].revents)
      return icl__fail(ICL_EINTERRUPTED, "the group ends");
    if (ready > 0)
      return ICL_OK;
    if (left <= 0)
      return icl__fail(ICL_EIO, "it is silent");
  }
}

/* ---- listening ---- */

static icl_status listen_at(const struct sockaddr *at, socklen_t bytes, int port, int *fd) {
  int one = 1, zero = 0;
  *fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd >= 0 && at->sa_family == AF_INET6)
    setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (*fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(*fd, at, bytes) == 0 &&
      listen(*fd, SOMAXCONN) == 0)
    return ICL_OK;
  int error = errno;
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  errno = error;
  if (error == EADDRINUSE)
    return icl__fail(ICL_EIO, "port %d of this host is in use, perhaps by another run; take another port", port);
  return icl__fail(ICL_EIO, "cannot listen at port %d: %s", port, strerror(error));
}

/* A name of the host may lead to a loopback address as well, where other hosts do not arrive. */
static bool is_this_host(const char *host) {
  return !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1") || !strcmp(host, "::1");
}

icl_status icl__socket_listen(const icl__address *address, int *fd) {
  if (is_this_host(address->host)) {
    struct addrinfo *found;
    ICL__TRY(resolve(address, &found));
    icl_status status = listen_at(found->ai_addr, found->ai_addrlen, address->port, fd);
    freeaddrinfo(found);
    return status;
  }
  in_port_t port = htons((uint16_t)address->port);
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any, .sin6_port = port};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY), .sin_port = port};
  icl_status status = listen_at((struct sockaddr *)&six, sizeof six, address->port, fd);
  if (status == ICL_OK || errno == EADDRINUSE)
    return status;
  return listen_at((struct sockaddr *)&four, sizeof four, address->port, fd); /* a system without IPv6 */
}

int icl__socket_port(int fd) {
  struct sockaddr_storage at;
  socklen_t bytes = sizeof at;
  if (getsockname(fd, (struct sockaddr *)&at, &bytes) != 0)
    return 0;
  return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                        : ((struct sockaddr_in *)&at)->sin_port);
}

icl_status icl__socket_accept(int listening, double until, int stop, int *fd, char from[ICL__NUMERIC_ADDRESS]) {
  for (;;) {
    ICL__TRY(icl__socket_wait(listening, POLLIN, until, stop));
    struct sockaddr_storage at;
    socklen_t bytes = sizeof at;
    *fd = accept4(listening, (struct sockaddr *)&at, &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (*fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        return icl__fail(ICL_ENOTSUP, "cannot take a connection: %s", strerror(errno));
      continue; /* whoever it was is gone again */
    }
    int one = 1;
    setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (getnameinfo((struct sockaddr *)&at, bytes, from, ICL__NUMERIC_ADDRESS, NULL, 0, NI_NUMERICHOST) != 0)
      from[0] = '\0';
    if (!strncmp(from, "::ffff:", 7)) /* an address of the fourth version */
      memmove(from, from + 7, strlen(from + 7) + 1);
    if (is_loopback((struct sockaddr *)&at) || !strncmp(from, "127.", 4))
      from[0] = '\0';
    return ICL_OK;
  }
}

/* ---- connecting ---- */

/* One try: -1 and errno if nobody takes the connection. */
static int try_connect(const struct addrinfo *at, double until, int stop) {
  enum { TRY_SECONDS = 5 };
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, error = 0;
  if (fd < 0)
    return -1;
  if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
    double end = icl__seconds() + TRY_SECONDS;
    socklen_t bytes = sizeof error;
    if (errno != EINPROGRESS)
      error = errno;
    else if (icl__socket_wait(fd, POLLOUT, end < until ? end : until, stop) != ICL_OK)
      error = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
      error = errno;
  }
  if (error) {
    close(fd);
    errno = error;
    return -1;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

icl_status icl__socket_connect(const icl__address *address, double until, int stop, int *fd) {
  enum { PAUSE_MS = 100 };
  struct addrinfo *found;
  ICL__TRY(resolve(address, &found));
  icl_status status;
  for (;;) {
    const struct addrinfo *at = found;
    while (at && (*fd = try_connect(at, until, stop)) < 0)
      at = at->ai_next;
    int error = errno;
    if (*fd >= 0) {
      status = ICL_OK;
      break;
    }
    status = icl__socket_wait(stop, 0, icl__seconds() + 1e-3 * PAUSE_MS, stop);
    if (status == ICL_EINTERRUPTED)
      break;
    if (icl__seconds() >= until) {
      status = icl__fail(ICL_EIO, "nobody answers at %s:%d: %s", address->host, address->port, strerror(error));
      break;
    }
  }
  freeaddrinfo(found);
  return status;
}

/* ---- whole messages ---- */

icl_status icl__socket_write(int fd, const void *data, size_t bytes, double until, int stop) {
  for (const char *at = data; bytes;) {
    ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
    if (n > 0) {
      at += n;
      bytes -= (size_t)n;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      ICL__TRY(icl__socket_wait(fd, POLLOUT, until, stop));
    } else if (errno != EINTR) {
      return icl__fail(ICL_EIO, "%s", strerror(errno));
    }
  }
  return ICL_OK;
}

icl_status icl__socket_read(int fd, void *data, size_t bytes, double until, int stop) {
  for (char *at = data; bytes;) {
    ssize_t n = recv(fd, at, bytes, 0);
    if (n > 0) {
      at += n;
      bytes -= (size_t)n;
    } else if (n == 0) {
      return icl__fail(ICL_EIO, "it ended");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      ICL__TRY(icl__socket_wait(fd, POLLIN, until, stop));
    } else if (errno != EINTR) {
      return icl__fail(ICL_EIO, "%s", strerror(errno));
    }
  }
  return ICL_OK;
}
