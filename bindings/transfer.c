/* transfer.c - files from other machines, by libcurl.
 *
 * libcurl brings thirty libraries along and few runs need it, so it is loaded when the first transfer begins. A
 * transfer goes on only while turn() is called, so that Lua can show progress and signals stop it between two turns. */
#include "transfer.h"

#include "error.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char type[] = "icl.transfer";

/* ---- libcurl ---- */

/* What is used of it. */
/* clang-format off */
#define FUNCTIONS(F)                                                                                                   \
  F(easy_init)                                                                                                         \
  F(easy_setopt)                                                                                                       \
  F(easy_getinfo)                                                                                                      \
  F(easy_strerror)                                                                                                     \
  F(easy_cleanup)                                                                                                      \
  F(multi_init)                                                                                                        \
  F(multi_add_handle)                                                                                                  \
  F(multi_remove_handle)                                                                                               \
  F(multi_perform)                                                                                                     \
  F(multi_poll)                                                                                                        \
  F(multi_info_read)                                                                                                   \
  F(multi_strerror)                                                                                                    \
  F(multi_cleanup)
/* clang-format on */

#define MEMBER(name) __typeof__(&curl_##name) name;
static struct { FUNCTIONS(MEMBER) } curl;

static bool load_from(void *library) {
  void *symbol;
#define LOAD(name)                                                                                                     \
  if (!(symbol = dlsym(library, "curl_" #name)))                                                                       \
    return false;                                                                                                      \
  memcpy(&curl.name, &symbol, sizeof symbol);
  FUNCTIONS(LOAD)
  return true;
}

/* Two builds of one interface, of which a system has at least one where it has programs that load files. */
static void load(lua_State *L) {
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
  static bool loaded;
  for (int i = 0; i < 2 && !loaded; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    loaded = library && load_from(library);
  }
  if (!loaded)
    icl__lua_fail(L, "files are loaded by libcurl, which is not on this machine: %s; Debian's package is libcurl4",
                  dlerror());
}

/* ---- a transfer ---- */

typedef struct {
  CURL *easy;
  CURLM *multi;
  int fd;
  int write_error; /* errno of a write that failed */
  curl_off_t start, got;
  char message[CURL_ERROR_SIZE];
} transfer;

static size_t write_part(char *data, size_t one, size_t bytes, void *context) {
  transfer *t = context;
  for (size_t done = 0; done < bytes * one;) {
    ssize_t written = write(t->fd, data + done, bytes * one - done);
    if (written < 0 && errno != EINTR) {
      t->write_error = errno;
      return 0;
    }
    if (written > 0)
      done += (size_t)written;
  }
  t->got += (curl_off_t)(bytes * one);
  return bytes * one;
}

static int transfer_release(lua_State *L) {
  transfer *t = luaL_checkudata(L, 1, type);
  if (t->multi && t->easy)
    curl.multi_remove_handle(t->multi, t->easy);
  if (t->easy)
    curl.easy_cleanup(t->easy);
  if (t->multi)
    curl.multi_cleanup(t->multi);
  if (t->fd >= 0)
    close(t->fd);
  *t = (transfer){.fd = -1};
  return 0;
}

static transfer *check_transfer(lua_State *L) {
  transfer *t = luaL_checkudata(L, 1, type);
  if (!t->easy)
    icl__lua_fail(L, "the transfer was closed");
  return t;
}

/* A server that sends nothing for a minute is taken for dead. */
static void configure(transfer *t, const char *url) {
  enum { CONNECT_SECONDS = 30, SILENT_SECONDS = 60 };
  const struct {
    CURLoption option;
    long value;
  } numbers[] = {{CURLOPT_FOLLOWLOCATION, 1},
                 {CURLOPT_FAILONERROR, 1},
                 {CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS},
                 {CURLOPT_LOW_SPEED_LIMIT, 1},
                 {CURLOPT_LOW_SPEED_TIME, SILENT_SECONDS}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    curl.easy_setopt(t->easy, numbers[i].option, numbers[i].value);
  curl.easy_setopt(t->easy, CURLOPT_URL, url);
  curl.easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl.easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl.easy_setopt(t->easy, CURLOPT_USERAGENT, "icl/" ICL_VERSION);
  curl.easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->message);
  curl.easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, write_part);
  curl.easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  curl.easy_setopt(t->easy, CURLOPT_RESUME_FROM_LARGE, t->start);
}

static void open_file(lua_State *L, transfer *t, const char *path, bool afresh) {
  t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (afresh ? O_TRUNC : 0), 0666);
  off_t end = t->fd < 0 ? -1 : lseek(t->fd, 0, SEEK_END);
  if (end < 0)
    icl__lua_check(L, icl__file_fail(path, "open it for writing"));
  t->start = end;
}

/* What the end of a transfer means; see turn(). */
static const char *outcome_of(CURLcode result, long answer) {
  switch (result) {
  case CURLE_OK:
    return "done";
  case CURLE_RANGE_ERROR:
  case CURLE_BAD_DOWNLOAD_RESUME:
    return "ranges";
  case CURLE_WRITE_ERROR:
    return "disk";
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    return "cut";
  default:
    return answer == 404 || answer == 410 ? "missing" : "failed";
  }
}

/* Pushes what became of a transfer that ended, and why. */
static int push_end(lua_State *L, transfer *t) {
  int queued;
  const CURLMsg *end = curl.multi_info_read(t->multi, &queued);
  CURLcode result = end ? end->data.result : CURLE_FAILED_INIT;
  if (result == CURLE_OK && fsync(t->fd) != 0) {
    t->write_error = errno;
    result = CURLE_WRITE_ERROR;
  }
  long answer = 0;
  curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer);
  lua_pushstring(L, outcome_of(result, answer));
  if (result == CURLE_HTTP_RETURNED_ERROR)
    lua_pushfstring(L, "the server answers %d", (int)answer);
  else if (t->write_error)
    lua_pushstring(L, strerror(t->write_error));
  else
    lua_pushstring(L, t->message[0] ? t->message : curl.easy_strerror(result));
  return 2;
}

/* turn(seconds) -> what became of the transfer within that time at most, and why: "going", "done", "cut" (the
 * connection was: what came is kept), "ranges" (the server cannot go on in the middle), "missing" (there is no such
 * file), "disk" (what came cannot be written), "failed" */
static int transfer_turn(lua_State *L) {
  transfer *t = check_transfer(L);
  int milliseconds = (int)(1000 * luaL_checknumber(L, 2)), running = 1;
  CURLMcode code = curl.multi_perform(t->multi, &running);
  if (code == CURLM_OK && !running)
    return push_end(L, t);
  if (code == CURLM_OK)
    code = curl.multi_poll(t->multi, NULL, 0, milliseconds, NULL);
  if (code != CURLM_OK)
    return icl__lua_fail(L, "libcurl: %s", curl.multi_strerror(code));
  lua_pushliteral(L, "going");
  return 1;
}

/* state() -> bytes that are there, and how many there will be; nil: the server did not say; bytes of earlier tries */
static int transfer_state(lua_State *L) {
  transfer *t = check_transfer(L);
  curl_off_t length = -1;
  curl.easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  lua_pushinteger(L, t->start + t->got);
  if (length > 0)
    lua_pushinteger(L, t->start + length);
  else
    lua_pushnil(L);
  lua_pushinteger(L, t->start);
  return 3;
}

static transfer *new_transfer(lua_State *L) {
  static const luaL_Reg methods[] = {{"turn", transfer_turn},       {"state", transfer_state},
                                     {"close", transfer_release},   {"__gc", transfer_release},
                                     {"__close", transfer_release}, {NULL, NULL}};
  transfer *t = lua_newuserdatauv(L, sizeof *t, 0);
  *t = (transfer){.fd = -1};
  if (luaL_newmetatable(L, type)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  return t;
}

/* transfer(url, path [, afresh]) -> a transfer of what is at the address into a file; it goes on behind what the file
 * has, unless it is to begin afresh */
static int new (lua_State *L) {
  const char *url = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
  bool afresh = lua_toboolean(L, 3);
  load(L);
  transfer *t = new_transfer(L);
  open_file(L, t, path, afresh);
  t->easy = curl.easy_init();
  t->multi = curl.multi_init();
  if (!t->easy || !t->multi)
    return icl__lua_fail(L, "libcurl cannot begin a transfer");
  configure(t, url);
  curl.multi_add_handle(t->multi, t->easy);
  return 1;
}

void icl__lua_transfer_functions(lua_State *L) {
  lua_pushcfunction(L, new);
  lua_setfield(L, -2, "transfer");
}
