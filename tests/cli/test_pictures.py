"""Pictures against Pillow: what icl writes is read back by it."""

from harness import Skip, close, equal, folder, run, success, test

try:
  import PIL
  from PIL import Image
except ImportError as error:
  PIL, missing = None, str(error)


def pillow():
  if PIL is None:
    raise Skip(f"{missing}; sh tests/python.sh installs it")


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


close()
