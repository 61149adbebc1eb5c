-- commands/show.lua: `icl show [options]`: a contact sheet of augmented samples as a PNG file.
local icl = require "icl"
local show = require "icl.show"
local usage = require "icl.internal.usage"

local options = icl.options "icl show: what a training sees: augmented samples as a picture, with classes and weights"
  : value("count", 64, "the first so many samples of the epoch", { min = 1, max = 4096 })
  : value("sample", nil, "only the images of these numbers, from 0: 123 or 5,17,99", { type = "list", min = 0 })
  : value("epoch", 1, "as this epoch of a training with these options sees them", { min = 1 })
  : flag("original", false, "each beside the image as it is")
  : flag("evaluation", false, "the validation images, as they are evaluated")
  : value("out", nil, "the PNG file, which must not exist (default: show.png, show-1.png, ...)", { type = "path" })
  : include(icl.options.data, icl.options.augmentation, icl.options.runtime)
  : check(function(o)
      for _, number in ipairs(o.sample or {}) do
        if not math.tointeger(number) then return "{sample} must be whole numbers" end
      end
    end)
  : example "icl show --dataset cifar10 --cutout --mixup --count 64 --out sheet.png"
  : example "icl show --dataset cifar10 --mixup --sample 123 --epoch 7 --original"

-- words: the words of the command line behind `show`. -> exit code
return function(words)
  local o = options:parse(table.move(words, 1, #words, 1, { [0] = "icl show" }))
  for i, number in ipairs(o.sample or {}) do o.sample[i] = math.tointeger(number) end
  local path, lines = usage.during(o, show.write, o)
  io.stdout:write(table.concat(lines, "\n"), "\n", path, "\n")
  return 0
end
