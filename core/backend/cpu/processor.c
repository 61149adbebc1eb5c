/* processor.c - see processor.h. */
#include "backend/cpu/processor.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined __x86_64__
#include <cpuid.h>
#endif

#if defined __x86_64__
/* Linux keeps the registers of AMX only for programs that ask for them. */
static bool has_amx_bf16(void) {
  enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return false;
  bool tiles = d >> 24 & 1, of_bf16 = d >> 22 & 1;
  return tiles && of_bf16 && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}
#endif

icl__processor icl__processor_at_hand(void) {
  icl__processor p = {0};
#if defined __x86_64__
  p.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); /* whoever has both has F16C */
  p.avx512 = p.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  p.avx512_bf16 = p.avx512 && __builtin_cpu_supports("avx512bf16");
  p.amx_bf16 = p.avx512_bf16 && has_amx_bf16();
#endif
#if defined _SC_LEVEL2_CACHE_SIZE
  long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  p.cache = cache > 0 ? (size_t)cache : 0;
#endif
  return p;
}

void icl__processor_describe(const icl__processor *processor, char *text, size_t size) {
  const struct {
    bool has;
    const char *name;
  } units[] = {{processor->avx2, "AVX2"},
               {processor->avx512, "AVX-512"},
               {processor->avx512_bf16, "AVX-512 bf16"},
               {processor->amx_bf16, "AMX bf16"}};
  size_t used = (size_t)snprintf(text, size, "%s", "");
  for (size_t i = 0; i < sizeof units / sizeof *units && used < size; i++)
    if (units[i].has)
      used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", units[i].name);
  if (!used)
    snprintf(text, size, "no vector units");
}
