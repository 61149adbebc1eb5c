-- network: networks in files. A file of weights may say what the network computes, so that it can be evaluated, applied
-- and exported without the Lua that made it: see core/network/description.h for the form of that.
--
--   icl.network.save(model, "net.safetensors", { data = set })
--   local net = icl.network.open "net.safetensors"
--   net(images)
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local fail = require "icl.internal.fail"
local find = require "icl.network.find"
local json = require "icl.json"
local Module = require "icl.nn.module"
require "icl.tensor"
local views = require "icl.internal.views"
local weights = require "icl.weights"

local network = {}

-- ---- describing ----

-- The states of a model, with axes from 1 where files have others.
local function leaves_of(model)
  local leaves = {}
  for i, entry in ipairs(model:named_states()) do
    leaves[i] = { name = entry.name, state = entry.state, axes = weights.axes(entry) }
  end
  return leaves
end

local function call(model, shape, count)
  local images = core.full({ count, table.unpack(shape) }, 0)
  local outputs = table.pack(model(images))
  local logits = outputs[1]
  if type(logits) ~= "userdata" then
    fail("network.describe: the model returned %s for images; it must be one tensor of logits",
      arguments.described(logits))
  end
  return images, dtypes.wide(logits), outputs.n
end

-- What core.network_describe gives for a model and images of a shape.
local function trace(model, shape, leaves)
  local eager = core.network_trace_begin()
  local ending <close> = setmetatable({}, { __close = function() core.network_trace_end(eager) end })
  local images2, logits2 = call(model, shape, 2)
  local images3, logits3, outputs = call(model, shape, 3)
  local text, constants = core.network_describe(images2, logits2, images3, logits3, leaves)
  return text, constants, logits2:size(-1), outputs
end

local SHAPE = '"shape":%b[]'  -- of the images; it comes before those of nodes

-- The description, which says that it holds for the crops of an evaluation too, --tta five_crop, where it does: where
-- the model records the same for images of that size. Large constants may depend on the size.
local function with_crops(text, model, shape, leaves)
  local height, width = views.crop(shape[1], shape[2])
  local ok, other, constants = pcall(trace, model, { height, width, shape[3] }, leaves)
  if not ok or #constants > 0 or other:gsub(SHAPE, "", 1) ~= text:gsub(SHAPE, "", 1) then return text end
  return (text:gsub(SHAPE, ('%%0,"also":[%d,%d]'):format(height, width), 1))
end

-- network.describe(model, shape) -> a text, JSON, about what the evaluation of a model records, for any number of
-- images; a list of { name =, tensor = }: large constants, which must be in the file of weights too; the number of
-- logits; and how many values the model returned, of which the first is what is described. shape: of an image, {
-- height, width, channels }. Not inside a step; the model's modes stay as they are.
function network.describe(model, shape)
  if not Module.is(model) then fail("network.describe: it takes a module, not %s", arguments.described(model)) end
  arguments.typed("network.describe: shape", shape, "table", "a list { height, width, channels }")
  if #shape ~= 3 then fail "network.describe: shape must be { height, width, channels }" end
  for _, size in ipairs(shape) do arguments.integer("network.describe: a size of shape", size, 1, 1 << 16) end
  local modes <close> = Module.keep_modes { model }
  model:eval()
  local leaves = leaves_of(model)
  local text, constants, classes, outputs = trace(model, shape, leaves)
  return with_crops(text, model, shape, leaves), constants, classes, outputs
end

-- ---- writing ----

local about_data = { "name", "classes", "class_names", "shape", "mean", "std", "form", "evaluation" }

-- network.data(set [, chain]) -> what a file says about a set of images and the chain that it is evaluated with: {
-- name, classes, class_names, shape, mean, std, form, evaluation = { resize =, crop = } }. Of a set in memory there is
-- no evaluation: pictures are then resized to its shape.
function network.data(set, chain)
  local data, decoder = {}, type(chain) == "table" and chain.decoder
  for _, name in ipairs(about_data) do data[name] = set[name] end
  if set.folder and decoder then
    data.evaluation = { resize = decoder:decoding().resize or 0, crop = set.shape[1] }
  end
  return data
end

-- network.metadata(description, info) -> the JSON text for the metadata `icl` of a file of weights. description: what
-- network.describe gave; info: { data = what network.data gives, or a set, recipe, preset, epoch, step, figures,
-- options, ... }.
function network.metadata(description, info)
  local whole = {}
  for key, value in pairs(info or {}) do whole[key] = value end
  whole.version, whole.network = 1, json.verbatim(description)
  if whole.data then whole.data = network.data(whole.data) end
  return json.encode(whole)
end

-- The shape of the images that a model takes, from what is known.
local function shape_of(model, info)
  local shape = info.shape or info.data and info.data.shape or model.input
  if not shape then
    fail("network.save: the shape of an image is not known: give { data = set } or "
      .. "{ shape = { height, width, channels } }")
  end
  return shape
end

-- An error unless what is said of the data fits a model: a file with anything else could not be opened.
local function check_data(what, data, channels, classes)
  if data.mean ~= nil and data.std ~= nil then
    arguments.channels(what .. ": mean", data.mean, channels)
    arguments.channels(what .. ": std", data.std, channels, true)
  end
  local names = arguments.typed(what .. ": class_names", data.class_names or {}, "table", "a list of texts")
  if next(names) ~= nil then arguments.class_names(what .. ": class_names", names, classes) end
end

-- The tensors and the metadata of a file.
local function contents_of(what, model, info)
  if not Module.is(model) then fail("%s: it takes a module, not %s", what, arguments.described(model)) end
  info = arguments.typed(what .. ": info", info or {}, "table", "a table { data = set, ... }")
  arguments.typed(what .. ": data", info.data or {}, "table", "a set of images")
  local shape, rest = shape_of(model, info), {}
  for key, value in pairs(info) do
    if key ~= "shape" then rest[key] = value end
  end
  local description, extra, classes, outputs = network.describe(model, shape)
  if outputs > 1 then
    fail("%s: the model returned %d values; a file holds a network that gives one, the logits: save a module whose "
      .. "forward returns them alone, or the weights by model:save(path)", what, outputs)
  end
  check_data(what .. ": data", info.data or {}, shape[3], classes)
  local list = weights.state_dict(model)
  table.move(extra, 1, #extra, #list + 1, list)
  return list, { format = "pt", checksum = "crc32", icl = network.metadata(description, rest) }
end

-- network.save(model, path [, info]): weights in PyTorch's names and layouts, as model:save writes them, with what is
-- needed to use them without the model. info: see network.metadata, and shape where there is neither info.data nor
-- model.input. The file is replaced as a whole or not at all.
function network.save(model, path, info)
  core.refuse_suspended "network.save"
  core.safetensors_write(arguments.path("network.save", path), contents_of("network.save", model, info))
end

-- ---- reading ----

local Opened = Module.class "opened_network"

function Opened:init(file)
  self.file, self.training = { file }, false
  for name, value in pairs(file:facts()) do self[name] = value end
end

-- n(images) -> logits f32 (n, classes); images f32 that are normalised, or bytes, u8.
function Opened:forward(x)
  return self.file[1]:apply(x)
end

function Opened:shown()
  return ("opened_network: images of %s -> %d classes"):format(table.concat(self.shape, " x "), self.classes)
end

-- n:named_states() -> list of { name =, state =, module =, key = }, as modules have it.
function Opened:named_states()
  local list = {}
  for i, entry in ipairs(self.file[1]:states()) do
    local module = { pytorch_axes = { [entry.name] = entry.axes } }
    list[i] = { name = entry.name, state = entry.state, module = module, key = entry.name }
  end
  return list
end

-- Nothing of it is trained.
function Opened:named_parameters()
  return {}
end

-- n:train(on): it cannot be trained, since what a description holds is evaluation.
function Opened:train(on)
  if on ~= false then
    fail "an opened network is for evaluation only; to train on, make the model and load the file into it"
  end
  return self
end

-- n:image(path) -> a picture of any size as the network takes it, u8 (1, height, width, channels).
function Opened:image(path)
  return self.file[1]:image(arguments.path("image", path))
end

-- n:constants() -> list of { name =, tensor = }: large constants, which are in the file beside the states.
function Opened:constants()
  return self.file[1]:constants()
end

-- n:values() -> list of { shape =, dtype = } of what each node of the description gives for two images.
function Opened:values()
  return self.file[1]:values()
end

-- n:about() -> what the file says: { recipe, data, epoch, figures, network = the description, ... }.
function Opened:about()
  return core.json_decode(self.file[1]:metadata())
end

-- network.of(model [, info]) -> what network.open would give for the model's file: another network, with the weights
-- that the model has now.
function network.of(model, info)
  local list, metadata = contents_of("network.of", model, info)
  return Opened(core.network_make(metadata.icl, list))
end

-- The network of a checkpoint with the averages that it holds instead of the weights.
local function open_averages(path)
  local list = weights.averages(path)
  local contents, metadata = core.safetensors_read(path)
  for _, item in ipairs(weights.under("model", contents)) do
    if item.name:find "^icl%.constant%." then list[#list + 1] = item end
  end
  return Opened(core.network_make(metadata.icl, list))
end

-- network.open(path [, { ema = false }]) -> a network that was saved by network.save or a run, whose folder will do: a
-- module for evaluation only. Its fields: shape { height, width, channels }, classes, class_names, mean, std (nil if
-- they are not known), resize and crop (see image). It takes f32 images that are normalised, or bytes. A file that was
-- damaged since it was saved is an error. ema = true: with the averages that a checkpoint holds beside the weights.
function network.open(path, options, ...)
  arguments.no_more("network.open", "a path and a table of options", ...)
  local averages = arguments.options("network.open", options, { ema = false }).ema
  if core.list_folder(arguments.path("network.open", path)) then path = find(path, averages).path end
  return averages and open_averages(path) or Opened(core.network_read(path))
end

return network
