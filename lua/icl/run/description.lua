-- run/description.lua: what a run is: its program, its options, the machine, the images, the network; for the metadata
-- of files, and to find out what differs where a run goes on.
local core = require "icl.core"
local find = require "icl.runs.find"
local json = require "icl.json"
local network = require "icl.network"
local places = require "icl.internal.places"
local processes = require "icl.internal.processes"
local usage = require "icl.internal.usage"

local description = {}

local digests = setmetatable({}, { __mode = "k" })  -- of sets, and of images and folders, which sets share

local function digest_of(thing, digest)
  if not digests[thing] then digests[thing] = digest(thing) end
  return digests[thing]
end

-- Of the labels of a set, in order.
local function of_labels(set)
  local labels = set.indices and core.ops.gather(set.labels, set.indices) or set.labels
  return ("%08x"):format(core.hash32(labels:bytes()))
end

local function of_pixels(images)
  return ("pixels %08x"):format(core.tensor_checksum(images))
end

-- Of the names and sizes of the files of a folder.
local function of_files(folder)
  return "files " .. core.image_folder_fingerprint(folder)
end

-- Of all images that a set takes some of.
local function contents_of(set)
  if set.folder then return digest_of(set.folder, of_files) end
  return set.images and digest_of(set.images, of_pixels)
end

-- description.loader(loader) -> what a loop over it depends on.
function description.loader(loader)
  local chain, set = getmetatable(loader.chain) or {}, loader.set
  return {
    training = loader.training == true, images = set.count,
    labels = digest_of(set, of_labels), contents = contents_of(set),
    batch_size = loader.global_batch_size or loader.batch_size, batches = loader.batches,
    chain = chain.__tostring and tostring(loader.chain) or type(loader.chain),
  }
end

-- description.machine() -> what the bytes of results depend on besides the program.
function description.machine()
  return { threads = core.threads(), shares = core.shares(), processes = processes.size(), build = core.build_id() }
end

-- description.network(run) -> what the evaluation of the run's model computes, as JSON, the constants that it needs, a
-- list of { name =, tensor = }, and the number of its logits; nil where it cannot be told, which is noted once. See
-- lua/icl/network.
function description.network(run)
  local model, set = run.kept.model, run.train_set
  if not (model and set) then return nil, {} end
  if not run.described then
    local ok, text, constants, classes = pcall(network.describe, model, set.shape)
    local whole, why = pcall(core.json_decode, text)  -- what is wrong in it would make each checkpoint unreadable
    if ok and not whole then ok, text = false, why end
    run.described = ok and { network = json.verbatim(text), constants = constants, classes = classes }
      or { constants = {} }
    if not ok then
      run:line(("Note: only this recipe can use the weights, since the network cannot be described: %s"):format(text))
    end
  end
  return run.described.network, run.described.constants, run.described.classes
end

-- What is said of the images, for files with the network: without the names of classes where it has more logits or
-- fewer, which is noted once.
local function data_of(run)
  if not run.train_set then return nil end
  local data = network.data(run.train_set, run.evaluation_chain)
  local _, _, classes = description.network(run)
  if not (classes and data.class_names) or #data.class_names == classes then return data end
  if not run.told_classes then
    run.told_classes = true
    run:line(("Note: the images have %d classes, and the network %d logits: files have no names for these"):format(
      #data.class_names, classes))
  end
  data.class_names = nil
  return data
end

-- description.of(run) -> a table for JSON, in which the network is missing.
function description.of(run)
  local program, machine = run.program, description.machine()
  return {
    version = 1, icl = core.version, build = machine.build, threads = machine.threads, seed = places.current_seed(),
    shares = machine.shares, processes = machine.processes,
    recipe = program.recipe, preset = program.preset, result = program.result, options = program.options,
    data = data_of(run), epoch = run.epoch, step = run.step,
    figures = run.reports.latest,
  }
end

-- description.program(values) -> the program whose options these are, or those that were parsed last: { recipe =, name
-- =, preset =, result =, arguments =, options = }; of a script without options its name and its words.
function description.program(values)
  local words = arg or {}
  values = values or usage.latest()
  local origin = usage.origin(values)
  local script = words[0] or "icl"
  local program = { recipe = script, name = find.recipe_name(script), arguments = {} }
  for i, word in ipairs(words) do program.arguments[i] = word end
  if origin then
    program.preset = origin.presets[1]
    program.result = origin.result
    program.options = origin.list:in_force(values)
  end
  return program
end

return description
