-- commands/show.lua: `icl show [options]`: a contact sheet of augmented samples as a PNG file.
local help = require "icl.options.help"
local icl = require "icl"
local random = require "icl.random"
local show = require "icl.show"
local usage = require "icl.internal.usage"

local options = icl.options "icl show: what a training sees: augmented samples as a picture, with classes and weights"
  : value("count", 64, "the first so many samples of the epoch", { min = 1, max = 4096 })
  : value("sample", nil, "only the images of these numbers, from 0: 123 or 5,17,99", { type = "list", min = 0 })
  : value("epoch", 1, "as this epoch of a training with these options sees them", { min = 1 })
  : flag("original", false, "each beside the image as it is")
  : flag("evaluation", false, "the validation images, as they are evaluated")
  : value("out", nil, "the PNG file, which must not exist (default: show.png, show-1.png, ...)", { type = "path" })
  : include(icl.options.data, icl.options.augmentation)
  : take(icl.options.runtime, { "seed" })
  : include(icl.options.precision, icl.options.engine)
  : after(function(o) random.seed(o.seed) end)
  : check(function(o)
      for _, number in ipairs(o.sample or {}) do
        if not math.tointeger(number) then return "{sample} must be whole numbers" end
      end
    end)
  : example "icl show --dataset cifar10 --cutout --mixup --count 64 --out sheet.png"
  : example "icl show --dataset cifar10 --mixup --sample 123 --epoch 7 --original"

-- What is about training alone.
local of_training = { epoch = true, batch_size = true, global_batch_size = true, drop_last = true, balanced = true,
                      repeats = true }
for _, name in ipairs(icl.options.augmentation:names()) do of_training[name] = true end

-- A message about the first option that was given and changes nothing of the sheet; nil where all do.
local function without_effect(o, given)
  for _, name in ipairs(options:names()) do
    local other
    if given[name] == nil then
      other = nil
    elseif name == "count" and o.sample then
      other = "with --sample"
    elseif of_training[name] and o.evaluation then
      other = "with --evaluation"
    elseif name == "eval_batch_size" and not o.evaluation then
      other = "without --evaluation"
    end
    if other then return ("%s means nothing %s"):format(help.written(name, given[name]), other) end
  end
end

-- words: the words of the command line behind `show`. -> exit code
return function(words)
  local o = options:parse(table.move(words, 1, #words, 1, { [0] = "icl show" }))
  local problem = without_effect(o, usage.origin(o).given)
  if problem then usage.wrong("icl show", problem) end
  for i, number in ipairs(o.sample or {}) do o.sample[i] = math.tointeger(number) end
  local path, lines = usage.during(o, show.write, o)
  io.stdout:write(table.concat(lines, "\n"), "\n", path, "\n")
  return 0
end
