/* build.c - what tells one build of the program from another: the number that the linker computes from all that is in
 * it, the Lua library included. */
#include "build.h"

#include "embedded.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

typedef struct {
  const unsigned char *bytes; /* NULL: not found */
  size_t count;
} build_number;

/* Does the loaded object have this address? */
static bool contains(const struct dl_phdr_info *object, ElfW(Addr) address) {
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type == PT_LOAD && address - object->dlpi_addr - part->p_vaddr < part->p_memsz)
      return true;
  }
  return false;
}

static void find_in_notes(const unsigned char *notes, size_t bytes, build_number *found) {
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
    ElfW(Nhdr) note;
    memcpy(&note, notes + at, sizeof note);
    size_t name = at + sizeof note, content = name + (note.n_namesz + 3u) / 4 * 4;
    at = content + (note.n_descsz + 3u) / 4 * 4;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && at <= bytes && memcmp(notes + name, "GNU", 4) == 0)
      *found = (build_number){notes + content, note.n_descsz};
  }
}

static int look_at(struct dl_phdr_info *object, size_t size, void *result) {
  (void)size;
  if (!contains(object, (ElfW(Addr))(uintptr_t)icl__embedded))
    return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type == PT_NOTE)
      find_in_notes((const unsigned char *)(uintptr_t)(object->dlpi_addr + part->p_vaddr), part->p_filesz, result);
  }
  return 1;
}

/* Where the linker made no number: the sum of the Lua library. */
static uint32_t sum_of_library(void) {
  uLong sum = crc32(0, (const Bytef *)ICL_VERSION, sizeof ICL_VERSION);
  for (const icl__embedded_module *module = icl__embedded; module->name; module++) {
    sum = crc32_z(sum, (const Bytef *)module->name, strlen(module->name) + 1);
    sum = crc32_z(sum, module->bytes, module->size);
  }
  return (uint32_t)sum;
}

/* build_id() -> hexadecimal digits that are others when the program or the Lua library in it was built from others */
static int build_id(lua_State *L) {
  build_number number = {NULL, 0};
  dl_iterate_phdr(look_at, &number);
  char digits[2 * 64 + 1];
  if (!number.bytes || number.count > sizeof digits / 2)
    snprintf(digits, sizeof digits, "%08x", sum_of_library());
  else
    for (size_t i = 0; i < number.count; i++)
      snprintf(digits + 2 * i, 3, "%02x", number.bytes[i]);
  lua_pushstring(L, digits);
  return 1;
}

void icl__lua_build_functions(lua_State *L) {
  lua_pushcfunction(L, build_id);
  lua_setfield(L, -2, "build_id");
}
