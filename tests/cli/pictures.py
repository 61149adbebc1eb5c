"""Pictures for tests in every format and form that icl reads, made by hand and by Pillow: forms() -> { name: file }."""

import io
import os
import random
import re
import struct
import sys

from PIL import Image

WIDTH, HEIGHT = 13, 6  # odd, so that rows need padding and half bytes


def noise(count, seed=0, below=256):
  """Bytes with runs in them, so that compression has something to do."""
  draw, values = random.Random(seed), bytearray()
  while len(values) < count:
    values += bytes([draw.randrange(below)]) * draw.choice([1, 1, 1, 2, 3, 9])
  return bytes(values[:count])


def picture(mode, seed=0):
  """An image of Pillow of this mode."""
  channels = len(Image.new(mode, (1, 1)).getbands())
  if mode == "1":
    return Image.frombytes("L", (WIDTH, HEIGHT), noise(WIDTH * HEIGHT, seed)).convert("1")
  if mode == "I;16":
    return Image.frombytes(mode, (WIDTH, HEIGHT), noise(2 * WIDTH * HEIGHT, seed))
  made = Image.frombytes(mode, (WIDTH, HEIGHT), noise(WIDTH * HEIGHT * channels, seed))
  if mode == "P":
    made.putpalette(noise(768, seed + 1))
  return made


def saved(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


# ---- BMP ----


def bmp(bits, rows, palette=b"", compression=0, height=HEIGHT, header=40, masks=b"", colors=0):
  """A BMP file of rows as they are stored."""
  if header == 12:
    info = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
  else:
    info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(rows), 0, 0, colors, 0)
    info += masks
    info += bytes(header - len(info)) if header > 40 else b""
  start = 14 + len(info) + len(palette)
  return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + palette + rows


def bmp_rows(bits, seed=0):
  return noise((WIDTH * bits + 31) // 32 * 4 * HEIGHT, seed)


def bmp_rle(bits):
  """Runs, plain pixels, ends of lines, a jump and the end."""
  plain = b"\0\5\1\2\3\4\5\0" if bits == 8 else b"\0\5\x12\x34\x50\0"
  return (b"\5\7\3\1" + plain + b"\0\0" + b"\x0d\x12\0\0" + b"\4\3\0\2\2\1" + b"\3\4\0\0" + b"\x0d\5\0\0" +
          b"\2\3\0\0" + b"\0\1")


def bmp_forms():
  colors = noise(1024, 5)
  grey = b"".join(bytes([i, i, i, 0]) for i in range(256))
  mask = struct.Struct("<IIII")
  return {
    "bmp-1": bmp(1, bmp_rows(1), colors[:8]),
    "bmp-1-grey": bmp(1, bmp_rows(1), b"\0\0\0\0\xff\xff\xff\0"),
    "bmp-4": bmp(4, bmp_rows(4), colors[:64]),
    "bmp-8": bmp(8, bmp_rows(8), colors),
    "bmp-8-grey": bmp(8, bmp_rows(8), grey),
    "bmp-8-few": bmp(8, bytes(v % 7 for v in bmp_rows(8)), colors[:28], colors=7),
    "bmp-8-short": bmp(8, bmp_rows(8), colors[:28], colors=7),
    "bmp-8-top": bmp(8, bmp_rows(8), colors, height=-HEIGHT),
    "bmp-8-os2": bmp(8, bmp_rows(8), colors[:768], header=12),
    "bmp-16": bmp(16, bmp_rows(16)),
    "bmp-16-565": bmp(16, bmp_rows(16), masks=mask.pack(0xF800, 0x7E0, 0x1F, 0)[:12], compression=3),
    "bmp-16-555": bmp(16, bmp_rows(16), masks=mask.pack(0x7C00, 0x3E0, 0x1F, 0)[:12], compression=3),
    "bmp-24": bmp(24, bmp_rows(24)),
    "bmp-24-top": bmp(24, bmp_rows(24), height=-HEIGHT),
    "bmp-24-os2": bmp(24, bmp_rows(24), header=12),
    "bmp-24-v5": bmp(24, bmp_rows(24), header=124),
    "bmp-32": bmp(32, bmp_rows(32)),
    "bmp-32-bgra": bmp(32, bmp_rows(32), masks=mask.pack(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=108,
                       compression=3),
    "bmp-32-rgba": bmp(32, bmp_rows(32), masks=mask.pack(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=124,
                       compression=3),
    "bmp-32-xbgr": bmp(32, bmp_rows(32), masks=mask.pack(0xFF000000, 0xFF0000, 0xFF00, 0), header=56, compression=3),
    "bmp-32-masks": bmp(32, bmp_rows(32), masks=mask.pack(0xFF0000, 0xFF00, 0xFF, 0)[:12], compression=3),
    "bmp-rle8": bmp(8, bmp_rle(8), colors, compression=1),
    "bmp-rle4": bmp(4, bmp_rle(4), colors[:64], compression=2),
    **{f"bmp-pillow-{mode}": saved(picture(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")},
  }


# ---- PNM ----


def pnm_forms():
  size = WIDTH * HEIGHT
  head = f"{WIDTH} {HEIGHT}\n"
  words = "".join(f"{v} " + ("\n" if i % 9 == 8 else "") for i, v in enumerate(noise(3 * size, 3, 100)))
  return {
    "pnm-p1": ("P1\n# by hand\n" + head + "".join(str(v) for v in noise(size, 1, 2)) + "\n").encode(),
    "pnm-p1-spaced": ("P1 " + head + " ".join(str(v) for v in noise(size, 1, 2))).encode(),
    "pnm-p2": ("P2\n" + head + "100\n# more\n" + words).encode(),
    "pnm-p2-65535": ("P2\n" + head + "65535\n" + words).encode(),
    "pnm-p3": ("P3\n" + head + "99\n" + words).encode(),
    "pnm-p4": ("P4\n" + head).encode() + noise((WIDTH + 7) // 8 * HEIGHT),
    "pnm-p5": ("P5\n# a\n#b\n" + head + "255\n").encode() + noise(size),
    "pnm-p5-31": ("P5\n" + head + "31\n").encode() + noise(size, 0, 32),
    "pnm-p5-65535": ("P5\n" + head + "65535\n").encode() + noise(2 * size, 4),
    "pnm-p5-1000": ("P5\n" + head + "1000\n").encode() + bytes(v for low in noise(size) for v in (low % 4, low)),
    "pnm-p6": ("P6 " + head + "255\r").encode() + noise(3 * size),
    "pnm-p6-200": ("P6\n" + head + "200\n").encode() + noise(3 * size, 0, 201),
    "pnm-p6-over": ("P6\n" + head + "77\n").encode() + noise(3 * size),
    "pnm-p6-65535": ("P6\n" + head + "65535\n").encode() + noise(6 * size),
    **{f"pnm-pillow-{mode}": saved(picture(mode), "PPM") for mode in ("1", "L", "RGB", "RGBA")},
  }


# ---- GIF ----


def gif(change=None, **options):
  """A GIF of Pillow's, changed."""
  file = bytearray(saved(picture("P"), "GIF", **options))
  if change:
    change(file)
  return bytes(file)


def gif_placed(file):
  """Puts the frame into a larger screen."""
  file[6:10] = struct.pack("<HH", WIDTH + 5, HEIGHT + 4)
  at = file.index(b",\0\0\0\0") + 1
  file[at:at + 4] = struct.pack("<HH", 3, 2)


def gif_overhanging(file):
  """Lets the frame reach over the edge of the screen."""
  file[6:10] = struct.pack("<HH", WIDTH - 5, HEIGHT - 2)


def gif_animated():
  file = io.BytesIO()
  frames = [picture("P", seed) for seed in range(3)]
  frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50, transparency=3, disposal=2)
  return file.getvalue()


def gif_local():
  """The colours of a frame of its own, none for all."""
  file = saved(picture("P"), "GIF")
  bits = file[10] & 7
  colors = 3 << (bits + 1)
  at = file.index(b",\0\0\0\0", 13 + colors)
  return (file[:10] + bytes([file[10] & 0x70]) + file[11:13] + file[13 + colors:at + 9] +
          bytes([file[at + 9] & 0x40 | 0x80 | bits]) + file[13:13 + colors] + file[at + 10:])


def gif_forms():
  grey = picture("L")
  return {
    "gif": gif(), "gif-interlaced": gif(interlace=True), "gif-plain": gif(interlace=False),
    "gif-transparent": gif(transparency=noise(1)[0]),
    "gif-placed": gif(gif_placed), "gif-placed-transparent": gif(gif_placed, transparency=7),
    "gif-overhanging": gif(gif_overhanging), "gif-animated": gif_animated(), "gif-local": gif_local(),
    "gif-grey": saved(grey, "GIF"), "gif-1": saved(picture("1"), "GIF"),
    "gif-large": saved(Image.frombytes("P", (200, 150), noise(30000, 9)), "GIF"),
    "gif-short": saved(picture("P").point(lambda v: v % 5), "GIF"),
    "gif-comment": saved(picture("P"), "GIF", comment=b"a comment" * 60),
  }


# ---- TGA ----


def tga(kind, bits, content, flags=0, palette=b"", entry=0, first=0):
  count = len(palette) * 8 // entry if entry else 0
  return struct.pack("<BBBHHBHHHHBB", 3, 1 if palette else 0, kind, first, count, entry, 0, 0, WIDTH, HEIGHT, bits,
                     flags) + b"abc" + palette + content


def tga_rle(bits, seed=0):
  """Packets of both kinds that do not cross rows."""
  draw, size, out = random.Random(seed), bits // 8, b""
  for _ in range(HEIGHT):
    left = WIDTH
    while left:
      count = draw.randrange(1, min(left, 5) + 1)
      run = draw.random() < 0.5
      out += bytes([(128 if run else 0) + count - 1])
      out += bytes(draw.randrange(256) for _ in range(size * (1 if run else count)))
      left -= count
  return out


def tga_forms():
  size = WIDTH * HEIGHT
  forms = {}
  for name, kind, bits in (("8", 3, 8), ("la", 3, 16), ("16", 2, 16), ("24", 2, 24), ("32", 2, 32)):
    forms[f"tga-{name}"] = tga(kind, bits, noise(size * bits // 8))
    forms[f"tga-{name}-rle"] = tga(kind + 8, bits, tga_rle(bits))
  for flags in (0x10, 0x20, 0x30):
    forms[f"tga-24-{flags:x}"] = tga(2, 24, noise(size * 3), flags)
    forms[f"tga-24-rle-{flags:x}"] = tga(10, 24, tga_rle(24), flags)
  for entry in (16, 24, 32):
    forms[f"tga-p-{entry}"] = tga(1, 8, noise(size), palette=noise(256 * entry // 8, 2), entry=entry)
    forms[f"tga-p-{entry}-rle"] = tga(9, 8, tga_rle(8), palette=noise(256 * entry // 8, 2), entry=entry)
  forms["tga-p-first"] = tga(1, 8, bytes(10 + v % 50 for v in noise(size)), palette=noise(150, 2), entry=24, first=10)
  for mode in ("L", "LA", "P", "RGB", "RGBA"):
    forms[f"tga-pillow-{mode}"] = saved(picture(mode), "TGA")
    forms[f"tga-pillow-{mode}-rle"] = saved(picture(mode), "TGA", rle=True)
  return forms


# ---- PSD ----


def packed(row):
  """A row as PackBits."""
  out, at = b"", 0
  while at < len(row):
    run = 1
    while at + run < len(row) and run < 128 and row[at + run] == row[at]:
      run += 1
    if run > 1:
      out += bytes([257 - run, row[at]])
    else:
      end = at + 1
      while end < len(row) and end - at < 128 and row[end] != row[end - 1]:
        end += 1
      run = end - at
      out += bytes([run - 1]) + row[at:end]
    at += run
  return out


def psd(mode, channels, bits=8, compressed=False, palette=b"", version=1):
  row = (WIDTH * bits + 7) // 8
  planes = [noise(row * HEIGHT, k) for k in range(channels)]
  head = b"8BPS" + struct.pack(">H6xHIIHH", version, channels, HEIGHT, WIDTH, bits, mode)
  head += struct.pack(">I", len(palette)) + palette
  resource = b"8BIM" + struct.pack(">H", 1005) + b"\0\0" + struct.pack(">I", 4) + b"abcd"
  head += struct.pack(">I", len(resource)) + resource
  head += struct.pack(">I", 8) + bytes(8)
  if not compressed:
    return head + b"\0\0" + b"".join(planes)
  rows = [packed(plane[y * row:(y + 1) * row]) for plane in planes for y in range(HEIGHT)]
  return head + b"\0\1" + b"".join(struct.pack(">H", len(r)) for r in rows) + b"".join(rows)


PSD_MODES = (("grey", 1, 1), ("grey-alpha", 1, 2), ("rgb", 3, 3), ("rgba", 3, 4), ("rgb-5", 3, 5), ("cmyk", 4, 4),
             ("duotone", 8, 1))


def psd_forms():
  forms = {}
  for name, mode, channels in PSD_MODES:
    forms[f"psd-{name}"] = psd(mode, channels)
    if channels == {1: 1, 3: 3, 4: 4, 8: 1}[mode] or name == "rgba":  # Pillow takes lengths of further rows for pixels
      forms[f"psd-{name}-packed"] = psd(mode, channels, compressed=True)
  forms["psd-palette"] = psd(2, 1, palette=noise(768, 8))
  forms["psd-1"] = psd(0, 1, 1)
  return forms


# ---- WebP ----


def webp_forms():
  return {
    "webp": saved(picture("RGB"), "WEBP", quality=80), "webp-alpha": saved(picture("RGBA"), "WEBP", quality=80),
    "webp-lossless": saved(picture("RGB"), "WEBP", lossless=True),
    "webp-lossless-alpha": saved(picture("RGBA"), "WEBP", lossless=True, exact=True),
    "webp-large": saved(Image.frombytes("RGB", (120, 90), noise(120 * 90 * 3, 5)), "WEBP", quality=50),
    "webp-animated": saved(picture("RGB"), "WEBP", save_all=True, append_images=[picture("RGB", 1)], lossless=True),
  }


# ---- TIFF ----


def tiff(tags, content, order="<"):
  """A TIFF of one strip, unless it has tiles, with these tags, { number: values }: shorts, or longs if one is large."""
  strip = {} if 322 in tags else {273: [8], 278: [HEIGHT], 279: [len(content)]}
  tags = {256: [WIDTH], 257: [HEIGHT], 259: [1], 277: [1], **strip, **tags}
  entries, outside = b"", b""
  start = 8 + len(content) + len(content) % 2
  table = start + 2 + 12 * len(tags) + 4
  for tag in sorted(tags):
    values = tags[tag]
    kind, form = (4, "I") if max(values) > 65535 else (3, "H")
    data = struct.pack(f"{order}{len(values)}{form}", *values)
    if len(data) > 4:
      entries += struct.pack(order + "HHII", tag, kind, len(values), table + len(outside))
      outside += data
    else:
      entries += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
  mark = b"II*\0" if order == "<" else b"MM\0*"
  return (mark + struct.pack(order + "I", start) + content + bytes(len(content) % 2) +
          struct.pack(order + "H", len(tags)) + entries + bytes(4) + outside)


def tiff_forms():
  size = WIDTH * HEIGHT
  forms = {}
  for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "I;16", "YCbCr"):
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
      name = f"tiff-{mode.replace(';', '')}-{(compression or 'raw').removeprefix('tiff_')}"
      if name == "tiff-YCbCr-raw":
        continue  # Pillow writes what it cannot read itself
      forms[name] = saved(picture(mode), "TIFF", compression=compression)
  for compression in ("group3", "group4"):
    forms[f"tiff-1-{compression}"] = saved(picture("1"), "TIFF", compression=compression)
  forms["tiff-jpeg"] = saved(picture("RGB"), "TIFF", compression="jpeg", quality=90)
  forms["tiff-jpeg-grey"] = saved(picture("L"), "TIFF", compression="jpeg", quality=90)
  forms["tiff-predictor"] = saved(picture("RGB"), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
  forms["tiff-strips"] = saved(picture("RGB"), "TIFF", compression="tiff_lzw", tiffinfo={278: 1})
  forms["tiff-pages"] = saved(picture("RGB"), "TIFF", save_all=True, append_images=[picture("L")])
  for order, name in (("<", "ii"), (">", "mm")):
    forms[f"tiff-{name}-16"] = tiff({258: [16], 262: [1]}, noise(2 * size), order)
    forms[f"tiff-{name}-rgb16"] = tiff({258: [16] * 3, 262: [2], 277: [3]}, noise(6 * size), order)
    forms[f"tiff-{name}-rgba16"] = tiff({258: [16] * 4, 262: [2], 277: [4], 338: [2]}, noise(8 * size), order)
    forms[f"tiff-{name}-white0"] = tiff({258: [8], 262: [0]}, noise(size), order)
    forms[f"tiff-{name}-float"] = tiff({258: [32], 262: [1], 339: [3]},
                                       b"".join(struct.pack(order + "f", v * 1.5 - 40) for v in noise(size)), order)
    forms[f"tiff-{name}-signed"] = tiff({258: [16], 262: [1], 339: [2]}, noise(2 * size), order)
    forms[f"tiff-{name}-i32"] = tiff({258: [32], 262: [1], 339: [2]}, noise(4 * size), order)
  for bits in (1, 2, 4):
    rows = noise((WIDTH * bits + 7) // 8 * HEIGHT)
    for photometric in (0, 1):
      forms[f"tiff-{bits}-{photometric}"] = tiff({258: [bits], 262: [photometric]}, rows)
    forms[f"tiff-p{bits}"] = tiff({258: [bits], 262: [3], 320: list(range(0, 3 * 2**bits * 700, 700))}, rows)
    forms[f"tiff-{bits}-reversed"] = tiff({258: [bits], 262: [1], 266: [2]}, rows)
  forms["tiff-premultiplied"] = tiff({258: [8] * 4, 262: [2], 277: [4], 338: [1]}, noise(4 * size))
  tiles = {322: [16], 323: [16], 324: [8], 325: [768]}
  forms["tiff-tiles"] = tiff({258: [8] * 3, 262: [2], 277: [3], **tiles}, noise(768))
  forms["tiff-planes"] = tiff({258: [8] * 3, 262: [2], 277: [3], 284: [2], 273: [8, 8 + size, 8 + 2 * size],
                               279: [size] * 3}, noise(3 * size))
  for orientation in range(2, 9):
    forms[f"tiff-turned-{orientation}"] = tiff({258: [8] * 3, 262: [2], 277: [3], 274: [orientation]}, noise(3 * size))
  return forms


def forms():
  return {**bmp_forms(), **pnm_forms(), **gif_forms(), **tga_forms(), **psd_forms(), **webp_forms(), **tiff_forms()}


# python3 pictures.py FOLDER: writes the small ones there; tests/fuzz/seeds/image was made so
if __name__ == "__main__":
  for form, content in forms().items():
    twin = "pillow" in form or "-mm-" in form or re.match("tiff-(?!RGB-)[A-Z]", form) or "turned-" in form
    if len(content) <= 1000 and not twin:
      with open(os.path.join(sys.argv[1], form), "wb") as file:
        file.write(content)
