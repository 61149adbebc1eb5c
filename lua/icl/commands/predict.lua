-- commands/predict.lua: `icl predict RUN|FILE IMAGE|DIR|-...`: what a network sees in pictures.
local core = require "icl.core"
local classify = require "icl.evaluation.classify"
local json = require "icl.json"
local new_options = require "icl.options.list"
local numbers = require "icl.internal.numbers"
local pad = require "icl.internal.pad"
local source = require "icl.evaluation.source"
local pictures = require "icl.evaluation.pictures"
local csv_row = require "icl.evaluation.csv"
local split = require "icl.options.words".split
local usage = require "icl.internal.usage"

local function options_of(words)
  return new_options "icl predict RUN|FILE IMAGE|DIR|-...: the most probable classes of pictures; - reads their paths"
    : value("top", 5, "how many classes of each", { min = 1 })
    : flag("json", false, "print a JSON object a line")
    : flag("csv", false, "print comma-separated values")
    : flag("quiet", false, "do not say what is done with pictures")
    : check(function(values)
        if values.json and values.csv then return "{json} and {csv} exclude each other" end
      end)
    : include(source.options(words))
    : example "icl predict runs/resnet/001 cat.jpg"
    : example "icl predict weights.safetensors photos --top 1 --csv"
    : example "find . -name '*.png' | icl predict weights.safetensors - --json"
end

-- What happens to a picture, in words.
local function treatment(net)
  local height, width, channels = table.unpack(net.shape)
  local grey = channels == 1 and ", grey" or ""
  if net.crop == 0 then return ("Pictures are resized to %d x %d%s."):format(height, width, grey) end
  local resized = net.resize > 0 and ("the shorter side resized to %d, "):format(net.resize) or ""
  return ("Of pictures, %sthe middle %d x %d is taken%s."):format(resized, height, width, grey)
end

local writers = {}

-- Lines of one width: the path, then classes and percentages.
function writers.text(paths, class_width)
  local width = 0
  for _, path in ipairs(paths) do width = math.max(width, pad.width(core.printable(path))) end
  return function(path, list)
    local cells = {}
    for i, entry in ipairs(list) do
      local name = pad.right(core.printable(entry.class), class_width)
      cells[i] = numbers.format("%s %6.2f %%", name, 100 * entry.probability)
    end
    return pad.right(core.printable(path), width) .. "  " .. table.concat(cells, "  ") .. "\n"
  end
end

function writers.json()
  return function(path, list)
    return json.encode { file = path, top = list } .. "\n"
  end
end

function writers.csv()
  io.stdout:write(csv_row { "file", "rank", "class", "label", "probability" })
  return function(path, list)
    local lines = {}
    for i, entry in ipairs(list) do lines[i] = csv_row { path, i, entry.class, entry.label, entry.probability } end
    return table.concat(lines)
  end
end

local function class_width(net)
  local width = #tostring(net.classes)
  for _, name in ipairs(net.class_names or {}) do width = math.max(width, pad.width(core.printable(name))) end
  return math.min(width, 24)
end

local function predict(words, opt)
  local net = source.network(table.remove(words, 1), opt).net
  local paths, code = pictures(words), 0
  if not net.mean then
    usage.wrong("icl predict", "the file does not say how images were normalised: give --mean and --std of each "
      .. "channel with --model, or save it with icl.network.save(model, path, { data = set })")
  end
  local write = writers[opt.json and "json" or opt.csv and "csv" or "text"](paths, class_width(net))
  if not opt.quiet then io.stderr:write(treatment(net), "\n") end
  classify(net, paths, {
    top = opt.top,
    each = function(path, list) io.stdout:write(write(path, list)) end,
    failed = function(_, message)
      code = 1
      io.stderr:write("icl predict: ", core.printable(message), "\n")
    end,
  })
  return code
end

-- words: those of the command line behind `predict`. -> exit code
return function(words)
  words[0] = "icl predict"
  local options = options_of(words)
  local others, own = split(options, words)
  local opt = options:parse(own)
  if #others < 2 then
    usage.wrong("icl predict", #others == 0 and "which network, and which pictures? icl predict RUN|FILE IMAGE..."
      or "which pictures? icl predict RUN|FILE IMAGE...")
  end
  return usage.during(opt, predict, others, opt)
end
