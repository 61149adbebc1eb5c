"""Pictures against Pillow: what icl reads is what Pillow makes of the same file, what it writes is read back by Pillow.

Made with Pillow 10.4 and 13.0, which agree on all of these files, but that 10.4 misreads jumps in BMP with runs and
does not open TGA with a palette that has alpha."""

import io
import os
import warnings

from harness import Skip, close, contains, equal, folder, run, success, test

try:
  import PIL
  from PIL import Image
  import pictures
except ImportError as error:
  PIL, missing = None, str(error)

# Reads the files of a folder; prints a line for each that cannot be read, writes the pixels of the others beside it.
READ = """
local icl = require "icl"
for line in io.lines(arg[1] .. "/names") do
  local ok, x = pcall(icl.image.read, arg[1] .. "/" .. line)
  if ok then
    local file <close> = assert(io.open(("%s/%s.%d.%d"):format(arg[1], line, x:size(2), x:size(1)), "wb"))
    file:write(x:bytes())
  else
    print(x)
  end
end
"""


def pillow():
  if PIL is None:
    raise Skip(f"{missing}; sh tests/python.sh installs it")


def read(files):
  """What icl makes of files, { name: bytes } -> { name: ((width, height), pixels) } and what it said about others."""
  with folder() as here:
    for name, content in files.items():
      here.write(name, content)
    here.write("names", "".join(name + "\n" for name in files))
    said = success(run(here.write("read.lua", READ), here.path))
    made = {}
    for entry in os.listdir(here.path):
      name, *size = entry.rsplit(".", 2)
      if name in files and len(size) == 2:
        with open(here / entry, "rb") as file:
          made[name] = (tuple(int(n) for n in size), file.read())
    return made, said


def reference(content):
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with Image.open(io.BytesIO(content)) as image:
      converted = image.convert("RGB")
      return converted.size, converted.tobytes()


@test
def every_form_is_read_as_pillow_reads_it():
  pillow()
  forms = pictures.forms()
  made, said = read(forms)
  equal(said, "")
  wrong = []
  for name, content in forms.items():
    size, pixels = reference(content)
    if made[name] != (size, pixels):
      differ = sum(a != b for a, b in zip(made[name][1], pixels))
      wrong.append(f"{name}: {made[name][0]}, {differ} of {len(pixels)} bytes differ")
  equal("\n".join(wrong), "")


@test
def packed_rows_of_all_channels_are_skipped():
  pillow()
  for name, mode, channels in pictures.PSD_MODES:
    made, said = read({"raw": pictures.psd(mode, channels), "packed": pictures.psd(mode, channels, compressed=True)})
    equal(said, "")
    equal(made["packed"], made["raw"], name)


# Forms that are not read, and what is said.
REFUSED = {
  "bmp": (lambda: pictures.bmp(2, bytes(64), bytes(16)), "it is a BMP image of 2 bits in form 0"),
  "bmp-masks": (lambda: pictures.bmp(16, pictures.bmp_rows(16), masks=bytes([255, 0, 0, 0, 0, 255] + [0] * 6),
                                     compression=3), "it is a BMP image of 16 bits with the masks ff, ff00, 0"),
  "bmp-jpeg": (lambda: pictures.bmp(24, pictures.bmp_rows(24), compression=4), "of 24 bits in form 4"),
  "psd-16": (lambda: pictures.psd(3, 3, 16), "it is a PSD image of mode 3 with 16 bits"),
  "psd-lab": (lambda: pictures.psd(9, 3), "it is a PSD image of mode 9 with 8 bits"),
  "psb": (lambda: pictures.psd(3, 3, version=2), "it is a PSD image of version 2"),
  "tiff-lab": (lambda: pictures.tiff({258: [8] * 3, 262: [8], 277: [3]}, bytes(999)),
               "it is a TIFF image of 3 samples of 8 bits, of photometric 8 and format 1"),
  "tiff-double": (lambda: pictures.tiff({258: [64], 262: [1], 339: [3]}, bytes(999)),
                  "TIFF image of 1 samples of 64 bits"),
}


@test
def forms_that_are_not_read_are_named():
  pillow()
  for name, (make, message) in REFUSED.items():
    made, said = read({name: make()})
    equal(made, {}, name)
    contains(said, message, "which is not read; convert it or remove it")


@test
def a_file_that_is_cut_is_an_error_unless_all_pixels_are_there():
  pillow()
  forms = pictures.forms()
  cut = {f"{name}-{part}": content[:len(content) * part // 8] for name, content in forms.items()
         for part in (1, 3, 5, 7)}
  whole, _ = read(forms)
  made, said = read(cut)
  wrong = [name for name, pixels in made.items() if pixels != whole[name.rsplit("-", 1)[0]]]
  equal(wrong, [])
  assert len(made) < len(cut) / 8, sorted(made)
  lines = said.splitlines()
  equal(len(lines), len(cut) - len(made))
  said_what = ("it is cut", "damaged", "not an image: it begins with")  # too short to be known
  equal([line for line in lines if not any(part in line for part in said_what)], [])


@test
def folders_of_all_formats_are_looked_at_before():
  pillow()
  forms = pictures.forms()
  names = {"webp": "a.webp", "webp-alpha": "b.webp", "webp-lossless": "c.WEBP", "bmp-24": "a.bmp", "bmp-rle8": "b.bmp",
           "tiff-RGB-lzw": "a.tif", "tiff-tiles": "b.tiff", "pnm-p6": "a.ppm", "pnm-p2": "a.pgm", "gif": "c.jpg"}
  with folder() as here:
    os.makedirs(here / "set/x")
    for form, name in names.items():
      here.write("set/x/" + name, forms[form])
    here.write("set/x/left-out.gif", forms["gif"])
    code = """local set = icl.data.folder(arg[1], { skip_bad_images = true, image_size = 8 })
      print(set.count, set.skipped, set.bad)
      print(set.report or "nothing")
      local loader = icl.data.loader(set, { batch_size = set.count })
      for index, number, images in loader:indices(1) do print(table.concat(images:shape(), " ")) end"""
    equal(success(run("-e", code, here / "set")), f"{len(names)}\t1\t0\nnothing\n{len(names)} 8 8 3\n")
    for form, name in names.items():
      if form != "gif":
        here.write("set/x/" + name, forms[form][:len(forms[form]) // 4])
    said = success(run("-e", code, here / "set")).splitlines()
    equal(said[0], f"1\t1\t{len(names) - 1}")
    for name in names.values():
      equal(sum("/" + name + ":" in line for line in said), 0 if name == "c.jpg" else 1, name)


@test
def what_is_written_is_what_pillow_reads():
  pillow()
  with folder() as here:
    script = here.write("write.lua", """
      local icl = require "icl"
      for channels, mode in pairs { "L", nil, "RGB", "RGBA" } do
        local x = icl.arange(5 * 7 * channels):reshape(5, 7, channels):cast "u8"
        icl.image.save(("%s/%s.png"):format(arg[1], mode), x)
      end""")
    success(run(script, here.path))
    for channels, mode in ((1, "L"), (3, "RGB"), (4, "RGBA")):
      with Image.open(here / f"{mode}.png") as image:
        equal((image.mode, image.size), (mode, (7, 5)))
        equal(image.tobytes(), bytes(range(5 * 7 * channels)))


@test
def brightness_and_colour_apart_are_turned_as_other_pages_are():
  pillow()
  def page(image, orientation):
    out = io.BytesIO()
    image.save(out, "TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
    return out.getvalue()
  apart = Image.frombytes("YCbCr", (4, 3), bytes(7 * i % 256 for i in range(36)))
  size, pixels = read({"upright": page(apart, 1)})[0]["upright"]
  together = Image.frombytes("RGB", size, pixels)
  files = {f"{name}{i}": page(image, i) for i in range(1, 9) for name, image in (("a", apart), ("b", together))}
  made, said = read(files)
  equal(said, "")
  for i in range(1, 9):
    equal(made[f"a{i}"], made[f"b{i}"], i)


close()
