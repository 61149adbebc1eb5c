-- evaluation/source.lua: the network that a command line names: the run or file of its first word, or, of a file of
-- weights alone, what --model and its options make.
local fail = require "icl.internal.fail"
local find = require "icl.network.find"
local models = require "icl.models"
local network = require "icl.network"
local new_options = require "icl.options.list"
local usage = require "icl.internal.usage"
local weights = require "icl.weights"

local source = {}

-- The value of --model on a command line, which says what other options there are.
local function model_in(words)
  for i, word in ipairs(words) do
    if word == "--model" then return words[i + 1] end
    local value = word:match "^%-%-model=(.*)$"
    if value then return value end
  end
end

local with_model = { "--model", function(values) return values.model ~= nil end }

-- source.options(words) -> the options about a file that has weights alone.
function source.options(words)
  local list = new_options "a file of weights without a description"
    : choice("model", nil, models.names, "what it has the weights of; then the options of that model can be given")
    : value("input", nil, "height, width, channels of an image (default: of the data set, or of the model)",
        { type = "list", min = 1, only = with_model })
    : value("classes", nil, "how many (default: as the last layer has them)", { type = "integer", min = 1,
                                                                                only = with_model })
    : value("mean", nil, "of each channel, for bytes divided by 255", { type = "list", only = with_model })
    : value("std", nil, "of each channel, for bytes divided by 255", { type = "list", min = 1e-6, only = with_model })
    : flag("ema", false, "the moving averages of the weights, which checkpoints of runs with --ema hold")
  for _, name in ipairs(models.names) do
    if name == model_in(words) then list:add(models[name].options, "") end
  end
  return list
end

-- What the last layer is called, in our names and in torchvision's.
local last_layers = { "fc%.weight$", "classifier%.weight$", "classifier%.6%.weight$", "fc3%.weight$" }

-- How many classes the last layer of a file has.
local function classes_in(tensors)
  for _, item in ipairs(tensors) do
    for _, name in ipairs(last_layers) do
      if item.name:find(name) then return item.tensor:size(1) end
    end
  end
end

-- { height, width, channels } of --input, or nil.
local function shape_of(input)
  if not input then return nil end
  local shape = {}
  for i, size in ipairs(input) do shape[i] = math.tointeger(size) end
  if #input ~= 3 or #shape ~= 3 then fail "{input} must be three whole numbers: height, width, channels" end
  return shape
end

-- The network of a file of weights alone. set: of images, or nil.
local function build(path, opt, set)
  local about = set and network.data(set) or {}
  about.shape = shape_of(opt.input) or about.shape
  local model = models.from_options(opt, { shape = about.shape, form = about.form,
    classes = opt.classes or classes_in(weights.read(path)) or about.classes })
  if opt.ema then
    weights.load_state_dict(model, weights.averages(path), { source = path })
  else
    model:load(path)
  end
  if not opt.mean ~= not opt.std then fail "{mean} and {std} go together" end
  about.mean, about.std, about.shape = opt.mean or about.mean, opt.std or about.std, model.input
  for _, name in ipairs { "mean", "std" } do
    if about[name] and #about[name] ~= model.input[3] then
      fail("{" .. name .. "} must be a list of %d numbers, one for each channel", model.input[3])
    end
  end
  return network.of(model, { data = about })
end

-- source.network(word, opt [, set]) -> the network that a word stands for, { path =, run =, options = of the run, net =
-- }.
function source.network(word, opt, set)
  local found = find(word, opt.ema)
  found.net = opt.model and usage.during(opt, build, found.path, opt, set)
    or network.open(found.path, { ema = opt.ema })
  return found
end

return source
