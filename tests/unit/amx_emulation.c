/* amx_emulation.c - see amx_emulation.h. Encodings and operations are those of Intel's Software Developer's Manual,
 * volume 2, at LDTILECFG, TDPBF16PS, TILELOADD, TILERELEASE, TILESTORED and TILEZERO. */
#include "amx_emulation.h"

#if defined __x86_64__

#include "base/dtype.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { REGISTERS = 8, ROWS = 16, BYTES = 64 };

typedef union {
  uint8_t byte[BYTES];
  uint16_t half[BYTES / 2];
  float single[BYTES / 4];
} row;

static _Thread_local row registers[REGISTERS][ROWS];
static _Thread_local bool configured;

/* What is between the opcode and the next instruction, and what comes before it in the three bytes of a VEX prefix. */
typedef struct {
  int opcode, prefix; /* prefix: 0, 1 (66), 2 (F3), 3 (F2) */
  int reg, rm, vvvv;
  bool memory;
  uint64_t base, index;
  const uint8_t *next;
} instruction;

static void refuse(const uint8_t *at, const char *why) {
  char text[128];
  int length = snprintf(text, sizeof text, "amx_emulation: %02x %02x %02x %02x %02x: %s\n", at[0], at[1], at[2], at[3],
                        at[4], why);
  if (write(STDERR_FILENO, text, (size_t)length) < 0)
    _exit(98);
  _exit(99);
}

static uint64_t general(const ucontext_t *context, int number) {
  static const int place[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return (uint64_t)context->uc_mcontext.gregs[place[number]];
}

static int32_t number_at(const uint8_t *bytes) {
  int32_t number;
  memcpy(&number, bytes, sizeof number);
  return number;
}

/* The operand in memory: [base + index * scale + displacement], of which `index` is kept apart. */
static void decode_memory(const ucontext_t *context, const uint8_t *at, int high_base, int high_index,
                          instruction *found) {
  int mod = at[0] >> 6, base = at[0] & 7;
  const uint8_t *next = at + 1;
  bool absolute = mod == 0 && base == 5;
  if (base == 4) {
    int index = (next[0] >> 3 & 7) | high_index;
    base = next[0] & 7;
    if (index != 4)
      found->index = general(context, index) << (next[0] >> 6);
    if (mod == 0 && base == 5)
      refuse(at, "an address without a base");
    next++;
  }
  int32_t displacement = 0;
  if (mod == 1) {
    displacement = (int8_t)*next++;
  } else if (mod == 2 || absolute) {
    displacement = number_at(next);
    next += 4;
  }
  found->base = absolute ? (uint64_t)(uintptr_t)next : general(context, base | high_base);
  found->base += (uint64_t)(int64_t)displacement;
  found->next = next;
}

static instruction decode(const ucontext_t *context) {
  const uint8_t *at = (const uint8_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  bool is_vex = at[0] == 0xc4, in_map = (at[1] & 31) == 2, is_short = !(at[2] >> 2 & 1) && !(at[2] >> 7);
  if (!is_vex || !in_map || !is_short)
    refuse(at, "no instruction of AMX");
  instruction found = {.opcode = at[3],
                       .prefix = at[2] & 3,
                       .reg = (at[4] >> 3 & 7) | (at[1] & 0x80 ? 0 : 8),
                       .rm = (at[4] & 7) | (at[1] & 0x20 ? 0 : 8),
                       .vvvv = ~(at[2] >> 3) & 15,
                       .memory = at[4] >> 6 != 3,
                       .next = at + 5};
  if (found.memory)
    decode_memory(context, at + 4, at[1] & 0x20 ? 0 : 8, at[1] & 0x40 ? 0 : 8, &found);
  return found;
}

static void configure(const uint8_t *at, const uint8_t *layout) {
  uint8_t expected[BYTES] = {1};
  for (int i = 0; i < REGISTERS; i++) {
    expected[16 + 2 * i] = BYTES;
    expected[48 + i] = ROWS;
  }
  if (memcmp(layout, expected, sizeof expected) != 0)
    refuse(at, "another configuration");
  memset(registers, 0, sizeof registers);
  configured = true;
}

/* Numbers below 2^-126 count as 0. */
static float operand(uint16_t half) { return icl__from_bf16(half & 0x7f80 ? half : half & 0x8000); }

/* Even and odd products are summed up apart. */
static void multiply(row sum[ROWS], const row a[ROWS], const row b[ROWS]) {
  for (int m = 0; m < ROWS; m++)
    for (int n = 0; n < BYTES / 4; n++) {
      float part[2] = {0, 0};
      for (int k = 0; k < ROWS; k++)
        for (int i = 0; i < 2; i++)
          part[i] += operand(a[m].half[2 * k + i]) * operand(b[k].half[2 * n + i]);
      sum[m].single[n] += part[0] + part[1];
    }
}

static void carry_out(int signal, siginfo_t *info, void *data) {
  (void)signal;
  (void)info;
  ucontext_t *context = data;
  const uint8_t *at = (const uint8_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  instruction i = decode(context);
  uint8_t *memory = (uint8_t *)(uintptr_t)i.base;
  int kind = i.opcode << 4 | i.prefix << 1 | i.memory;
  enum { CONFIGURE = 0x491, RELEASE = 0x490, ZERO = 0x496, LOAD = 0x4b7, STORE = 0x4b5, MULTIPLY = 0x5c4 };
  if (kind != CONFIGURE && !configured)
    refuse(at, "not configured");
  if (i.reg >= REGISTERS || (kind == MULTIPLY && (i.rm >= REGISTERS || i.vvvv >= REGISTERS)))
    refuse(at, "no such register");
  switch (kind) {
  case CONFIGURE:
    configure(at, memory + i.index);
    break;
  case RELEASE:
    configured = false;
    break;
  case ZERO:
    memset(registers[i.reg], 0, sizeof registers[i.reg]);
    break;
  case LOAD:
    for (uint64_t r = 0; r < ROWS; r++)
      memcpy(&registers[i.reg][r], memory + r * i.index, BYTES);
    break;
  case STORE:
    for (uint64_t r = 0; r < ROWS; r++)
      memcpy(memory + r * i.index, &registers[i.reg][r], BYTES);
    break;
  case MULTIPLY:
    if (i.reg == i.rm || i.reg == i.vvvv || i.rm == i.vvvv)
      refuse(at, "one register twice");
    multiply(registers[i.reg], registers[i.rm], registers[i.vvvv]);
    break;
  default:
    refuse(at, "an instruction that no kernel needs");
  }
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)i.next;
}

void amx_emulate(void) {
  struct sigaction action = {.sa_sigaction = carry_out, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGILL, &action, NULL);
}

#else

void amx_emulate(void) {}

#endif
