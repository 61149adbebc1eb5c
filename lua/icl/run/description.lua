-- run/description.lua: what a run is: its program, its options, the machine, the images, the network; for the metadata
-- of files, and to find out what differs where a run goes on.
local core = require "icl.core"
local network = require "icl.network"
local numbers = require "icl.internal.numbers"
local places = require "icl.internal.places"
local usage = require "icl.internal.usage"

local description = {}

local digests = setmetatable({}, { __mode = "k" })

-- A digest of the labels of a set, in order.
local function digest_of(set)
  if not digests[set] then
    local labels = set.indices and core.ops.gather(set.labels, set.indices) or set.labels
    digests[set] = ("%08x"):format(core.hash32(labels:bytes()))
  end
  return digests[set]
end

-- description.loader(loader) -> what a loop over it depends on.
function description.loader(loader)
  local chain = getmetatable(loader.chain) or {}
  return {
    training = loader.training == true, images = loader.set.count, labels = digest_of(loader.set),
    batch_size = loader.batch_size, batches = loader.batches,
    chain = chain.__tostring and tostring(loader.chain) or type(loader.chain),
  }
end

-- description.machine() -> what the bytes of results depend on besides the program.
function description.machine()
  return { threads = core.threads(), build = core.build_id() }
end

-- What a network was trained on, as tools need it to show it others.
local function data_of(run)
  local set = run.train_set
  if not set then return nil end
  local data = network.data(set)
  if set.folder then
    local resize = (run.program.options or {}).eval_resize
    data.evaluation = { resize = resize or numbers.round(set.shape[1] * 256 / 224), crop = set.shape[1] }
  end
  return data
end

-- description.network(run) -> what the model computes, so that its files can be used without this program, and a list of
-- { name =, tensor = } that belong to it. Found out once; a model that cannot be described has its weights alone in
-- files, and the run says why.
function description.network(run)
  local model, set = run.kept.model, run.train_set
  if run.network == nil and model and set and set.shape and not core.in_step() then
    local ok, text, extra = pcall(network.describe, model, set.shape)
    run.network, run.network_tensors = ok and core.json_decode(text) or false, ok and extra or nil
    if not ok then run:warn(("the files of this run have weights without a description: %s"):format(text)) end
  end
  return run.network or nil, run.network_tensors or {}
end

-- description.of(run) -> a table for JSON.
function description.of(run)
  local program, machine = run.program, description.machine()
  return {
    version = 1, icl = core.version, build = machine.build, threads = machine.threads, seed = places.current_seed(),
    recipe = program.recipe, preset = program.preset, result = program.result, options = program.options,
    data = data_of(run), network = description.network(run), epoch = run.epoch, step = run.step, figures = run.reports.latest,
  }
end

-- description.program(values) -> the program whose options these are, or those that were parsed last: { recipe =, name
-- =, preset =, result =, arguments =, options = }; of a script without options its name and its words.
function description.program(values)
  local words = arg or {}
  values = values or usage.latest()
  local origin = usage.origin(values)
  local script = words[0] or "icl"
  local program = { recipe = script, name = script:match "([^/]*)$":gsub("%.lua$", ""), arguments = {} }
  for i, word in ipairs(words) do program.arguments[i] = word end
  if origin then
    program.preset = origin.presets[1]
    program.result = origin.result
    program.options = origin.list:in_force(values)
  end
  return program
end

return description
