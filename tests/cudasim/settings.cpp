/* settings.cpp - how the simulator was asked to run, and what it says when a rule is broken. */
#include "cudasim.h"
#include "simulator.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace sim {

settings setting;
std::atomic<int> live_things;

/* The place of a value among `words`. */
static int choose(const char *what, const char *value, const char *const words[3]) {
  for (int i = 0; i < 3; i++)
    if (!strcmp(value, words[i]))
      return i;
  fail("%s is '%s'; choose %s, %s or %s", what, value, words[0], words[1], words[2]);
}

static const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}

static void set(const char *order_name, const char *schedule_name, unsigned seed) {
  static const char *const orders[] = {"forward", "reverse", "random"}, *const schedules[] = {"lazy", "eager",
                                                                                              "random"};
  setting.threads = (order)choose("CUDASIM_ORDER", order_name, orders);
  setting.streams = (schedule)choose("CUDASIM_STREAMS", schedule_name, schedules);
  setting.seed = seed;
}

__attribute__((constructor)) static void read_settings() {
  set(variable("CUDASIM_ORDER", "forward"), variable("CUDASIM_STREAMS", "lazy"),
      (unsigned)atol(variable("CUDASIM_SEED", "1")));
  setting.refused = atol(variable("CUDASIM_REFUSE", "0"));
  sscanf(variable("CUDASIM_REFUSE_LAUNCH", "0"), "%ld,%ld", &setting.refused_launch, &setting.refused_next);
  setting.devices = (int)atol(variable("CUDASIM_DEVICES", "1"));
  setting.memory = (size_t)atol(variable("CUDASIM_MEMORY", "8192")) << 20;
  setting.coarse = getenv("CUDASIM_COARSE");
  setting.bad = getenv("CUDASIM_BAD");
}

/* CUDASIM_LIVE: what is left at the end of the program is a fault. */
__attribute__((destructor)) static void look_at_end() {
  if (live_things > 0 && getenv("CUDASIM_LIVE")) {
    fprintf(stderr, "cudasim: %d allocations, streams, events, graphs or descriptors were not given back\n",
            live_things.load());
    _exit(77);
  }
}

size_t draw(size_t limit) {
  setting.seed = setting.seed * 1664525u + 1013904223u;
  return (setting.seed >> 8) % limit;
}

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "cudasim: ");
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}

} // namespace sim

void cudasim_set(const char *order, const char *streams, unsigned seed) { sim::set(order, streams, seed); }
void cudasim_refuse(long number) { sim::setting.refused = number; }
void cudasim_refuse_launch(long number) { sim::setting.refused_launch = number; }
int cudasim_live(void) { return sim::live_things; }
void cudasim_devices(int count) { sim::setting.devices = count; }
