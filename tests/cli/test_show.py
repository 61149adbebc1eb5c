"""icl show: the sheet holds what a training sees, pixel by pixel."""

import os

from harness import (close, contains, equal, failure, folder, lacks, run, success, test, write_image_folder,
                     write_mnist)

# Reads a sheet of one cell: prints each of its pictures, `width` pixels of which each is `scale` large, as hexadecimal.
PICTURES = """
local icl = require "icl"
local path, width, scale, count = table.unpack(arg)
local sheet = icl.image.read(path)
for k = 0, count - 1 do
  local left = 12 + math.tointeger(k * (width * scale + 4))
  local part = sheet:narrow(1, 43, width * scale // 1):narrow(2, left + 1, width * scale // 1):bytes()
  local out = {}
  for y = 0, width - 1 do
    for x = 0, width - 1 do
      local at = math.tointeger(((y * scale) * width * scale + x * scale) * 3)
      out[#out + 1] = part:sub(at + 1, at + 3)
    end
  end
  print((table.concat(out):gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
end
"""

# A training loop that prints what it sees of image arg[1] in epoch arg[2].
TRAINING = """
local icl = require "icl"
local samples = require "icl.show.samples"
local number, epoch = math.tointeger(table.remove(arg, 1)), math.tointeger(table.remove(arg, 1))
local opt = icl.options "a loop" : include(icl.options.data, icl.options.augmentation, icl.options.runtime) : parse(arg)
local train = icl.data.open(opt)
icl.random.normal { 3 }
local loader = icl.data.loader(train, { batch_size = opt.batch_size, training = true, drop_last = opt.drop_last,
                                        chain = icl.augment.from_options(opt, train, { training = true }) })
local run = icl.run { epochs = epoch }
for now in run:epochs() do
  for batch in run:batches(loader) do
    for i, other in ipairs(batch.index:totable()) do
      if other == number and now == epoch then
        local sample = samples.of_batch(batch, { i })[1]
        for _, picture in ipairs(sample.pictures) do
          print((picture:bytes():gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
        end
        for _, label in ipairs(sample.labels) do print(("%.2f %d"):format(label[2], label[1])) end
      end
    end
  end
end
"""


def pictures_of(here, path, width, count):
  script = here.write("pictures.lua", PICTURES)
  scale = max(1, int(112 / width + 0.5))
  return success(run(script, path, str(width), str(scale), str(count))).split()


@test
def a_sample_is_what_the_training_sees():
  with folder() as here:
    write_mnist(here.path)
    script = here.write("training.lua", TRAINING)
    for number, options in enumerate((["--mixup"], ["--cutmix", "--cutout"], ["--ricap"], ["--random-erasing"],
                                      ["--dual-cutout", "--hflip"], ["--mixup", "--precision", "bf16"])):
      words = ["--dataset", "mnist", "--data", here.path, "--batch-size", "50", "--seed", "5", *options]
      seen = success(run(script, "11", "3", *words)).splitlines()
      out = here / f"{number}.png"
      said = success(run("show", *words, "--sample", "11", "--epoch", "3", "--out", out))
      views = 2 if "--dual-cutout" in options else 1
      equal(pictures_of(here, out, 28, views), seen[:views], options)
      labels = [line.split() for line in seen[views:]]
      wanted = " + ".join(f"{weight} {label}" if len(labels) > 1 else label for weight, label in labels)
      equal(said, f"#11 {wanted}\n{out}\n")


@test
def photos_are_replayed_too():
  with folder() as here:
    data = write_image_folder(here.path)
    script = here.write("training.lua", TRAINING)
    words = ["--dataset", "folder", "--data", data, "--batch-size", "5", "--image-size", "40", "--cutmix"]
    seen = success(run(script, "7", "2", *words)).splitlines()
    said = success(run("show", *words, "--sample", "7", "--epoch", "2", "--out", here / "x.png"))
    equal(pictures_of(here, here / "x.png", 40, 1), seen[:1])
    contains(said, "#7 ", "dog", "train/dog/1.png", here / "x.png")


@test
def bytes_come_back_from_normalised_images():
  with folder() as here:
    write_mnist(here.path)
    words = ["--dataset", "mnist", "--data", here.path, "--evaluation", "--original", "--sample", "3"]
    success(run("show", *words, "--out", here / "x.png"))
    original, shown = pictures_of(here, here / "x.png", 28, 2)
    equal(shown, original)
    assert len(set(original)) > 4


@test
def samples_come_in_the_order_they_were_asked_for():
  with folder() as here:
    write_mnist(here.path)
    words = ["--dataset", "mnist", "--data", here.path, "--batch-size", "20", "--no-drop-last"]
    said = success(run("show", *words, "--sample", "200,3,77,3", "--out", here / "x.png"))
    equal([line.split()[0] for line in said.splitlines()[:-1]], ["#200", "#3", "#77", "#3"])
    said = success(run("show", *words, "--count", "1000", "--out", here / "y.png"))
    equal(sorted(int(line.split()[0][1:]) for line in said.splitlines()[:-1]), list(range(256)))


@test
def no_file_is_overwritten():
  with folder() as here:
    write_mnist(here.path)
    words = ["show", "--dataset", "mnist", "--data", here.path, "--count", "2"]
    for name in ("show.png", "show-1.png", "show-2.png"):
      contains(success(run(*words, cwd=here.path)), "\n" + name + "\n")
    before = os.stat(here / "show.png")
    contains(failure(run(*words, "--out", "show.png", cwd=here.path), 2), "--out show.png: the file exists")
    contains(failure(run(*words, "--out", "a.jpg", cwd=here.path), 2), "--out a.jpg: PNG is written")
    contains(failure(run(*words, "--out", "none/a.png", cwd=here.path)), "none/a.png: cannot open its folder")
    equal(os.stat(here / "show.png"), before)


@test
def what_cannot_be_shown_is_told():
  with folder() as here:
    write_mnist(here.path)
    words = ["show", "--dataset", "mnist", "--data", here.path, "--out", here / "x.png"]
    contains(failure(run(*words, "--sample", "256"), 2), "--sample 256: there is no such image among the 256", "from 0")
    contains(failure(run(*words, "--sample", "1.5"), 2), "--sample must be whole numbers")
    contains(failure(run(*words, "--sample", "-1"), 2), "--sample -1")
    contains(failure(run(*words, "--count", "0"), 2), "--count 0")
    contains(failure(run(*words, "--epoch", "0"), 2), "--epoch 0")
    contains(failure(run(*words, "--mixup-alpha", "2"), 2), "means nothing without --mixup")
    contains(failure(run(*words, "--batch-size", "257"), 2), "256 images are not one batch of 257")
    equal(os.path.exists(here / "x.png"), False)


@test
def an_image_that_an_epoch_leaves_out_is_told():
  with folder() as here:
    write_mnist(here.path)
    words = ["show", "--dataset", "mnist", "--data", here.path, "--out", here / "x.png"]
    repeated = [*words, "--repeats", "3", "--no-drop-last"]
    seen = {int(line.split()[0][1:]) for line in success(run(*repeated, "--count", "256")).splitlines()[:-1]}
    left_out = min(set(range(256)) - seen)
    contains(failure(run(*words[:-1], here / "y.png", *repeated[-3:], "--sample", str(left_out)), 2),
             f"--sample {left_out} is not seen in epoch 1: with --balanced or --repeats")
    split = ["--no-use-test-as-val", "--val-ratio", "0.5", "--out", here / "z.png", "--sample", "0,1,2,3,4,5,6,7,8"]
    contains(failure(run(*words, *split), 2), "is none of the 128 training images, into which --val-ratio split the 256")


@test
def options_without_effect_are_refused():
  with folder() as here:
    write_mnist(here.path)
    words = ["show", "--dataset", "mnist", "--data", here.path]
    for more, message in ((["--count", "3", "--sample", "1"], "--count 3 means nothing with --sample"),
                          (["--evaluation", "--epoch", "2"], "--epoch 2 means nothing with --evaluation"),
                          (["--evaluation", "--mixup"], "--mixup means nothing with --evaluation"),
                          (["--evaluation", "--no-random-crop"], "--no-random-crop means nothing with --evaluation"),
                          (["--evaluation", "--batch-size", "3"], "--batch-size 3 means nothing with --evaluation"),
                          (["--eval-batch-size", "3"], "--eval-batch-size 3 means nothing without --evaluation"),
                          (["--output", "a"], "there is no option --output"),
                          (["--save-every", "2h"], "there is no option --save-every")):
      contains(failure(run(*words, *more, cwd=here.path), 2), message)
    equal(os.path.exists(here / "show.png"), False)


@test
def only_what_is_shown_is_made():
  with folder() as here:
    data = write_image_folder(here.path)
    for number in range(3000):
      os.link(data + "/train/cat/0.png", data + f"/train/cat/more{number}.png")
    words = ["show", "--dataset", "folder", "--data", data, "--batch-size", "3000", "--image-size", "3000", "--count"]
    equal(len(success(run(*words, "1", "--out", here / "x.png")).splitlines()), 2)


@test
def a_last_smaller_batch_is_not_seen_where_it_is_left_out():
  with folder() as here:
    write_mnist(here.path)
    words = ["show", "--dataset", "mnist", "--data", here.path, "--batch-size", "200"]
    said = success(run(*words, "--count", "256", "--out", here / "all.png")).splitlines()[:-1]
    seen = {int(line.split()[0][1:]) for line in said}
    equal(len(seen), 200)
    words += ["--sample", str(next(number for number in range(256) if number not in seen)), "--out", here / "one.png"]
    contains(failure(run(*words), 2), "is not seen in epoch 1", "the last smaller batch, which --drop-last leaves out")
    success(run(*words, "--no-drop-last"))


@test
def class_names_beyond_ascii_are_escaped_in_the_picture():
  with folder() as here:
    data = write_image_folder(here.path)
    for part in ("train", "val"):
      os.rename(os.path.join(data, part, "cat"), os.path.join(data, part, "ch\u00e8vre"))
      os.rename(os.path.join(data, part, "dog"), os.path.join(data, part, os.fsdecode(b"d\xffg")))
    words = ["show", "--dataset", "folder", "--data", data, "--image-size", "32", "--batch-size", "12"]
    said = success(run(*words, "--out", here / "x.png"))
    contains(said, "ch\u00e8vre")
    lacks(said, "\udcff")
    code = """local font = require "icl.show.font"
      print(font.ascii "ch\\u{e8}vre", font.ascii "d\\xffg", font.ascii "a\\tb", font.ascii "plain ~")"""
    equal(success(run("-e", code)), "ch\\u{e8}vre\td\\xffg\ta\\u{9}b\tplain ~\n")


@test
def every_character_of_the_font_differs():
  code = """local font, seen = require "icl.show.font", {}
    for code = 32, 126 do
      local rows = font.rows(string.char(code), 1, "#", ".")
      assert(#rows == font.height(1) and #rows[1] == font.width("x", 1), code)
      local text = table.concat(rows)
      assert(not seen[text], code)
      seen[text] = true
    end
    print(table.concat(font.rows("p", 1, "#", "."), " "))"""
  equal(success(run("-e", code)), "...... ...... ####.. #...#. #...#. ####.. #..... #..... ......\n")


close()
