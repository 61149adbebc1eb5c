/* libraries.c - see libraries.h. */
#include "backend/cuda/libraries.h"
#include "backend/cuda/newest.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

typedef struct {
  const char *name;
  size_t at; /* in the table that is filled */
} function;

typedef struct {
  const char *file, *product;
  const char *needs; /* opened before it where the loader would not find that by itself; NULL: nothing */
  const char *asks;  /* the function that says which version it is: the newest is taken. NULL: the first */
  size_t path;       /* in the table that is filled */
  const function *functions;
  size_t count;
} library;

#define X(name) {#name, offsetof(icl__cuda_libraries, cudnn.name)},
static const function cudnn_functions[] = {ICL__CUDNN_FUNCTIONS(X)};
#undef X
#define X(name) {#name, offsetof(icl__cuda_libraries, cublas.name)},
static const function cublas_functions[] = {ICL__CUBLAS_FUNCTIONS(X)};
#undef X
#define X(name) {#name, offsetof(icl__nccl, name)},
static const function nccl_functions[] = {ICL__NCCL_FUNCTIONS(X)};
#undef X

/* cuDNN opens what it is made of, and NVRTC, which some of its engines are compiled by. */
static const library of_devices[] = {
    {"libcudnn.so.9", "cuDNN 9", "libnvrtc.so.13", "cudnnGetVersion", offsetof(icl__cuda_libraries, cudnn_path),
     cudnn_functions, sizeof cudnn_functions / sizeof *cudnn_functions},
    {"libcublas.so.13", "cuBLAS 13", "libcublasLt.so.13", NULL, offsetof(icl__cuda_libraries, cublas_path),
     cublas_functions, sizeof cublas_functions / sizeof *cublas_functions},
};
static const library of_groups[] = {
    {"libnccl.so.2", "NCCL 2", NULL, NULL, offsetof(icl__nccl, path), nccl_functions,
     sizeof nccl_functions / sizeof *nccl_functions},
};

/* ---- where they are looked for ---- */

typedef struct {
  icl__text folders, /* a line each */
      toolkit,       /* the same as words, for a message */
      reasons;       /* why files that are there cannot be opened */
  bool chosen;       /* the folders are the user's: nothing else is looked through */
  bool asked;        /* python3 has added its folders */
} places;

/* The folders of a list that is parted by colons, each with `below` behind it. */
static void add_folders(places *p, const char *list, const char *below) {
  for (size_t length; list && *list; list += length + (list[length] == ':')) {
    length = strcspn(list, ":");
    if (!length)
      continue;
    icl__say(&p->folders, "%.*s%s\n", (int)length, list, below);
    icl__say(&p->toolkit, "%s%.*s%s", p->toolkit.used ? ", " : "", (int)length, list, below);
  }
}

/* Both variables often name one toolkit: it is not added again. */
static void add_toolkit(places *p, const char *folder, const char *before) {
  if (folder && before && !strcmp(folder, before))
    return;
  add_folders(p, folder, "/lib64");
  add_folders(p, folder, "/lib");
}

static void find_places(places *p) {
  const char *chosen = getenv("ICL_CUDA_LIBRARIES");
  p->chosen = chosen && *chosen;
  if (p->chosen) {
    add_folders(p, chosen, "");
    return;
  }
  const char *path = getenv("CUDA_PATH"), *home = getenv("CUDA_HOME"), *usual = "/usr/local/cuda";
  add_toolkit(p, path, NULL);
  add_toolkit(p, home, path);
  add_toolkit(p, usual, home && !strcmp(home, usual) ? home : path);
}

/* NVIDIA's packages of Python put their libraries into folders nvidia/NAME/lib of their own. */
static void ask_python(places *p) {
  p->asked = true;
  FILE *pipe = popen("python3 -c 'import glob, sys\n"
                     "for p in sys.path:\n"
                     "  for f in sorted(glob.glob(p + \"/nvidia/*/lib\")): print(f)' 2>/dev/null </dev/null",
                     "re");
  char line[ICL__PATH];
  while (pipe && fgets(line, sizeof line, pipe))
    if (line[0] == '/')
      icl__say(&p->folders, "%s", line);
  if (pipe)
    pclose(pipe);
}

static void *open_file(places *p, const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const char *reason = handle ? NULL : dlerror();
  /* A message that begins with a name without a folder says that there is no such file. */
  if (reason && (strchr(path, '/') || strncmp(reason, path, strlen(path)) != 0))
    icl__say(&p->reasons, "%s%s", p->reasons.used ? "; " : "", reason);
  return handle;
}

/* For one library. */
typedef struct {
  const library *library;
  icl__newest newest;
} search;

/* What is done with a file; NULL: the search goes on. */
typedef void *user(places *p, const char *path, search *s);

/* In the folders of the list from byte `from` on. */
static void *among(places *p, size_t from, const char *file, user *use, search *s) {
  const char *at = p->folders.used > from ? p->folders.text + from : "";
  void *handle = NULL;
  for (size_t length; *at && !handle; at += length + (at[length] == '\n')) {
    length = strcspn(at, "\n");
    char path[ICL__PATH];
    int used = snprintf(path, sizeof path, "%.*s/%s", (int)length, at, file);
    if (used < (int)sizeof path && access(path, F_OK) == 0)
      handle = use(p, path, s);
  }
  return handle;
}

static void *open_alone(places *p, const char *path, search *s) {
  (void)s;
  return open_file(p, path);
}

/* A library that the loader does not find is often not alone in that: what it needs is opened before it. */
static void *open_with_needs(places *p, const char *path, search *s) {
  if (s->library->needs && !open_file(p, s->library->needs))
    among(p, 0, s->library->needs, open_alone,
          s); /* stays open; else the library says what is missing, if it is missed */
  return open_file(p, path);
}

static void *ask(places *p, const char *path, search *s) {
  (void)p;
  icl__newest_ask(&s->newest, path);
  return NULL;
}

/* One that is in the process already stays the only one. */
static void *open_newest(places *p, search *s) {
  const library *l = s->library;
  void *loaded = dlopen(l->file, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (loaded)
    return loaded;
  ask_python(p);
  ask(p, l->file, s);
  among(p, 0, l->file, ask, s);
  if (!s->newest.version)
    return NULL;
  return strchr(s->newest.path, '/') ? open_with_needs(p, s->newest.path, s) : open_file(p, l->file);
}

static void *open_anywhere(places *p, const library *l) {
  search s = {.library = l, .newest = {.function = l->asks}};
  void *handle = NULL;
  if (!p->chosen)
    handle = l->asks ? open_newest(p, &s) : open_file(p, l->file);
  if (!handle)
    handle = among(p, 0, l->file, open_with_needs, &s);
  if (handle || p->chosen || p->asked)
    return handle;
  size_t known = p->folders.used;
  ask_python(p);
  return among(p, known, l->file, open_with_needs, &s);
}

/* ---- opening ---- */

static icl_status missing(const places *p, const library *l) {
  const char *at = p->toolkit.text ? p->toolkit.text : "any folder";
  if (p->reasons.text)
    return icl__fail(ICL_ENOTSUP, "cuda: %s cannot be opened: %s; install %s or set ICL_CUDA_LIBRARIES to its folder",
                     l->file, p->reasons.text, l->product);
  if (p->chosen)
    return icl__fail(ICL_ENOTSUP,
                     "cuda: %s was not found in %s, which ICL_CUDA_LIBRARIES names; install %s there or "
                     "set ICL_CUDA_LIBRARIES to its folder",
                     l->file, at, l->product);
  return icl__fail(ICL_ENOTSUP,
                   "cuda: %s was not found by the loader, in %s or among the packages of python3; install "
                   "%s or set ICL_CUDA_LIBRARIES to its folder",
                   l->file, at, l->product);
}

static icl_status open_library(places *p, const library *l, void *result) {
  void *handle = open_anywhere(p, l);
  if (!handle)
    return missing(p, l);
  char *path = (char *)result + l->path;
  struct link_map *map;
  snprintf(path, ICL__PATH, "%s", dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : l->file);
  for (size_t i = 0; i < l->count; i++) {
    void *symbol = dlsym(handle, l->functions[i].name);
    if (!symbol)
      return icl__fail(ICL_ENOTSUP, "cuda: %s has no function %s; install a newer %s", path, l->functions[i].name,
                       l->product);
    memcpy((char *)result + l->functions[i].at, &symbol, sizeof symbol);
  }
  return ICL_OK;
}

static icl_status open_all(const library *list, size_t count, void *result) {
  places p = {0};
  icl_status status = ICL_OK;
  find_places(&p);
  for (size_t i = 0; i < count && status == ICL_OK; i++)
    status = open_library(&p, &list[i], result);
  icl__free(p.folders.text);
  icl__free(p.toolkit.text);
  icl__free(p.reasons.text);
  return status;
}

static icl_status open_once(const library *list, size_t count, void *result, bool *done) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  icl_status status = *done ? ICL_OK : open_all(list, count, result);
  *done = status == ICL_OK;
  pthread_mutex_unlock(&lock);
  return status;
}

icl_status icl__cuda_open_libraries(const icl__cuda_libraries **result) {
  static icl__cuda_libraries opened;
  static bool done;
  *result = &opened;
  return open_once(of_devices, sizeof of_devices / sizeof *of_devices, &opened, &done);
}

icl_status icl__cuda_open_nccl(const icl__nccl **result) {
  static icl__nccl opened;
  static bool done;
  *result = &opened;
  return open_once(of_groups, sizeof of_groups / sizeof *of_groups, &opened, &done);
}
