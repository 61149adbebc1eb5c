"""What the machine code of a kernel does, read from a library that nvcc made, without the tools of the toolkit or a GPU.

Section `.nv_fatbin` holds a container for each source, with a cubin for each architecture. A cubin is an ELF file:
`.text.KERNEL` holds the instructions, `.nv.info` registers and stack of every kernel. Since Volta an instruction has
128 bits; its low 12 bits are the operation, and bits 73 to 75 the width of what loads and stores move. The numbers
below were compared with nvdisasm on sm_75, sm_80 and sm_90.
"""

import struct
import subprocess

WIDTHS = [8, 8, 16, 16, 32, 64, 128, 256]
# Accesses, counted with their width: ldg128; ld and st do not know what memory they go to.
ACCESSES = {
  0x381: "ldg", 0x981: "ldg", 0x386: "stg", 0x986: "stg", 0x983: "ldl", 0x387: "stl", 0x987: "stl", 0x984: "lds",
  0x388: "sts", 0x988: "sts", 0x980: "ld", 0x385: "st", 0x985: "st",
}
OTHERS = {
  0xb1d: "bar", 0x389: "shfl", 0x589: "shfl", 0x989: "shfl", 0xf89: "shfl", 0x98e: "red", 0x9a6: "red", 0x9a8: "atom",
  0x3a8: "atom", 0x3a9: "atom", 0x9a9: "atom", 0x22b: "double", 0x42b: "double", 0x62b: "double", 0x82b: "double",
  0x229: "double", 0x228: "double",
}
SECTION, SYMBOL_TABLE = "<IIQQQQIIQQ", 2
CONTAINER, CONTAINER_MAGIC = "<IHHQ", 0xba55ed50  # magic, version, bytes of this header, bytes behind it
ENTRY, CUBIN = "<HHIQ12xI", 2                      # kind, version, bytes of this header, bytes behind it, architecture
REGISTERS, FRAME = 0x2f, 0x11  # attributes of .nv.info
WITH_SIZE = 4                  # the form of an attribute that has a size and that many bytes


class Elf:
  def __init__(self, content):
    self.bytes = content
    first, = struct.unpack_from("<Q", self.bytes, 0x28)
    size, count, names = struct.unpack_from("<HHH", self.bytes, 0x3a)
    self.sections = [struct.unpack_from(SECTION, self.bytes, first + i * size) for i in range(count)]
    self.names = [self.text(self.sections[names][4] + s[0]) for s in self.sections]

  def text(self, at):
    return self.bytes[at:self.bytes.index(0, at)].decode()

  def content(self, section):
    return self.bytes[section[4]:section[4] + section[5]]

  def symbols(self):
    found = []
    for section in self.sections:
      if section[1] == SYMBOL_TABLE:
        strings = self.sections[section[6]][4]
        content = self.content(section)
        found += [self.text(strings + struct.unpack_from("<I", content, i)[0]) for i in range(0, len(content), 24)]
    return found


def attributes(elf):
  """{name: {registers, frame}} of every kernel."""
  symbols, found = elf.symbols(), {}
  for name, section in zip(elf.names, elf.sections):
    if name != ".nv.info":
      continue
    content, at = elf.content(section), 0
    while at < len(content):
      form, attribute, size = struct.unpack_from("<BBH", content, at)
      at += 4
      if form != WITH_SIZE:
        continue
      if attribute in (REGISTERS, FRAME):
        symbol, value = struct.unpack_from("<II", content, at)
        found.setdefault(symbols[symbol], {})["registers" if attribute == REGISTERS else "frame"] = value
      at += size
  return found


def count(code):
  """How often each kind of instruction occurs; `local` for accesses to local memory, `narrow` below 64 bits."""
  facts = {}
  for at in range(0, len(code), 16):
    low, high = struct.unpack_from("<QQ", code, at)
    operation = low & 0xfff
    words = [OTHERS[operation]] if operation in OTHERS else []
    if operation in ACCESSES:
      kind, width = ACCESSES[operation], WIDTHS[high >> 9 & 7]
      words = [kind, f"{kind}{width}"] + ([f"{kind}_narrow"] if width < 64 else [])
      words += ["local"] if kind in ("ldl", "stl") else []
    for word in words:
      facts[word] = facts.get(word, 0) + 1
  facts["instructions"] = len(code) // 16
  return facts


def cubins(path):
  """(architecture, cubin) of each, in the order of the library."""
  with open(path, "rb") as file:
    elf = Elf(file.read())
  content = elf.content(elf.sections[elf.names.index(".nv_fatbin")])
  at = 0
  while at < len(content):
    magic, _, header, size = struct.unpack_from(CONTAINER, content, at)
    if magic != CONTAINER_MAGIC:
      at += 8  # between containers
      continue
    at += header
    end = at + size
    while at < end:
      kind, _, header, size, architecture = struct.unpack_from(ENTRY, content, at)
      if kind == CUBIN:
        yield architecture, content[at + header:at + header + size]
      at += header + size


def kernels(cubin):
  """{demangled name: facts} of every kernel."""
  elf = Elf(cubin)
  known = attributes(elf)
  found = {}
  for name, section in zip(elf.names, elf.sections):
    if name.startswith(".text."):
      kernel = name[len(".text."):]
      found[kernel] = count(elf.content(section)) | known.get(kernel, {})
  names = subprocess.run(["c++filt"], input="\n".join(found), capture_output=True, text=True, check=True).stdout
  return dict(zip(names.split("\n"), found.values()))
