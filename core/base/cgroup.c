/* cgroup.c - reads the files of control groups.
 *
 * /proc/self/cgroup names the group of this process in each hierarchy. A limit of any group above it holds too, so the
 * path is walked up to the root of the hierarchy. In a container the named path may not be visible from inside; then
 * only the root is found, which there is the container's own group. */
#include "base/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

/* Fills `path` with the group of this process in the hierarchy of `controller`; "" means version 2. */
static bool find_group(const char *controller, char path[static PATH_BYTES]) {
  char line[PATH_BYTES];
  bool found = false;
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && !found && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL; /* 4:cpu,cpuacct:/group */
    if (!group)
      continue;
    *group++ = 0;
    char *rest = ++names;
    for (char *name = strsep(&rest, ","); name && !found; name = strsep(&rest, ","))
      found = strcmp(name, controller) == 0;
    if (found)
      snprintf(path, PATH_BYTES, "%s", group);
  }
  if (file)
    fclose(file);
  return found;
}

/* Reads one line of a file of a group. */
static bool read_line(const char *root, const char *group, const char *name, char line[static 128]) {
  char path[2 * PATH_BYTES];
  snprintf(path, sizeof path, "%s%s/%s", root, group, name);
  FILE *file = fopen(path, "re");
  if (!file)
    return false;
  bool read = fgets(line, 128, file) != NULL;
  fclose(file);
  return read;
}

/* Reads a number; "max" and what is not there is the largest. */
static unsigned long long read_number(const char *root, const char *group, const char *name) {
  char line[128];
  unsigned long long value;
  return read_line(root, group, name, line) && sscanf(line, "%llu", &value) == 1 ? value : ULLONG_MAX;
}

/* Page cache that is given back when memory is short. */
static unsigned long long read_reclaimable(const char *root, const char *group, const char *key) {
  char path[2 * PATH_BYTES], name[64];
  unsigned long long value, result = 0;
  snprintf(path, sizeof path, "%s%s/memory.stat", root, group);
  FILE *file = fopen(path, "re");
  while (file && fscanf(file, "%63s %llu", name, &value) == 2)
    if (strcmp(name, key) == 0)
      result = value;
  if (file)
    fclose(file);
  return result;
}

static size_t memory_left(const char *root, const char *group, bool version2) {
  unsigned long long limit = read_number(root, group, version2 ? "memory.max" : "memory.limit_in_bytes");
  unsigned long long used = read_number(root, group, version2 ? "memory.current" : "memory.usage_in_bytes");
  if (limit >= LLONG_MAX / 2 || used == ULLONG_MAX)
    return SIZE_MAX;
  unsigned long long cache = read_reclaimable(root, group, version2 ? "inactive_file" : "total_inactive_file");
  used -= cache < used ? cache : used;
  return used < limit ? limit - used : 0;
}

static size_t cores(const char *root, const char *group, bool version2) {
  char line[128];
  long long quota = -1, period = 0;
  if (version2) {
    if (!read_line(root, group, "cpu.max", line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
      return SIZE_MAX;
  } else {
    if (!read_line(root, group, "cpu.cfs_quota_us", line) || sscanf(line, "%lld", &quota) != 1 ||
        !read_line(root, group, "cpu.cfs_period_us", line) || sscanf(line, "%lld", &period) != 1)
      return SIZE_MAX;
  }
  return quota > 0 && period > 0 ? (size_t)((quota + period - 1) / period) : SIZE_MAX;
}

/* The least that `limit` says of the group of this process and of those above it. */
static size_t least(const char *controller, size_t (*limit)(const char *root, const char *group, bool version2)) {
  char root[64], group[PATH_BYTES];
  snprintf(root, sizeof root, "/sys/fs/cgroup/%s", controller);
  bool version2 = !find_group(controller, group);
  if (version2) {
    strcpy(root, "/sys/fs/cgroup");
    if (!find_group("", group))
      return SIZE_MAX;
  }
  size_t result = SIZE_MAX;
  for (char *slash = group + strlen(group); slash; slash = strrchr(group, '/')) {
    *slash = 0;
    size_t here = limit(root, group, version2);
    result = here < result ? here : result;
  }
  return result;
}

size_t icl__cgroup_memory_left(void) { return least("memory", memory_left); }

int icl__cgroup_cores(void) {
  size_t result = least("cpu", cores);
  return result < INT_MAX ? (int)result : INT_MAX;
}
