-- weights.lua: states in files, in PyTorch's names and layouts.
--
-- In memory convolution weights are (kh, kw, in / groups, out) and linear weights (in, out); in files they are (out,
-- in / groups, kh, kw) and (out, in). A layer says so in `pytorch_axes`. Nothing is needed for a linear layer behind
-- a flattened image, because `flatten` puts channels first.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local torchvision = require "icl.internal.torchvision"

local weights = {}

local function inverse(axes)
  local result = {}
  for i, axis in ipairs(axes) do result[axis] = i end
  return result
end

-- weights.axes(entry): the axes of PyTorch's layout in terms of ours for one entry of named_states, or nil if both are
-- the same.
function weights.axes(entry)
  local layouts = entry.module and entry.module.pytorch_axes
  return layouts and layouts[entry.key]
end
local axes_of = weights.axes

-- weights.to_pytorch(value, axes): a state or tensor in PyTorch's layout; axes as a layer's pytorch_axes has them.
function weights.to_pytorch(value, axes)
  return axes and core.ops.permute(value, { dims = axes }) or core.ops.detach(value)
end

-- weights.from_pytorch(tensor, axes): the same from PyTorch's layout.
function weights.from_pytorch(tensor, axes)
  return axes and core.ops.permute(tensor, { dims = inverse(axes) }) or tensor
end

local function check_module(what, module)
  if type(module) ~= "table" or type(module.named_states) ~= "function" then
    fail("%s: it takes a module, not %s", what, arguments.described(module))
  end
end

-- weights.state_dict(module [, names]) -> list of { name =, tensor = } in PyTorch's layout, with the module's names or,
-- for names = "torchvision", with those of torchvision.
function weights.state_dict(module, names)
  check_module("state_dict", module)
  if names ~= nil then arguments.choice("state_dict: names", names, { "own", "torchvision" }) end
  local foreign, list = names == "torchvision", {}
  if foreign then torchvision.check("state_dict", module) end
  for i, entry in ipairs(module:named_states()) do
    local name = foreign and module:torchvision_name(entry.name) or entry.name
    list[i] = { name = name, tensor = weights.to_pytorch(entry.state, axes_of(entry)) }
  end
  return list
end

-- weights.under(name, list) -> those items of a list of { name =, tensor = } that are called `name.` and more, without
-- that: in a checkpoint those of the model are under "model".
function weights.under(name, list)
  local own, prefix = {}, name .. "."
  for _, item in ipairs(list) do
    if item.name:sub(1, #prefix) == prefix then
      own[#own + 1] = setmetatable({ name = item.name:sub(#prefix + 1) }, { __index = item })
    end
  end
  return own
end

-- weights.save(module, path [, { names = "own" }]): what m:save does. The file is replaced as a whole or not at all.
function weights.save(module, path, options, ...)
  check_module("save", module)
  core.refuse_suspended "save"
  arguments.no_more("save", "a path and a table of options", ...)
  options = arguments.options("save", options, { names = "own" })
  core.safetensors_write(arguments.path("save", path), weights.state_dict(module, options.names),
    { format = "pt", checksum = "crc32" })
end

local function shape_text(shape)
  return "(" .. table.concat(shape, ", ") .. ")"
end

local function same(a, b)
  return shape_text(a) == shape_text(b)
end

-- What stands for a state that no file need have, as a layer says in `absent_in_files`; or nil.
local function substitute(entry)
  local absent = entry.module and entry.module.absent_in_files
  local value = absent and absent[entry.key]
  return value and core.full(entry.state:shape(), value, entry.state:dtype())
end

-- The names of layers or states that `except` of load gives, as a list.
local function exceptions(except)
  if type(except) ~= "table" then except = { except } end
  for _, name in ipairs(except) do
    arguments.typed("load: except", name, "string", "the name of a layer or state, or a list of them")
  end
  return except
end

-- Is this the name of one of the exceptions, or of something in it?
local function is_below(name, except)
  for _, exception in ipairs(except) do
    if name == exception or name:sub(1, #exception + 1) == exception .. "." then return exception end
  end
  return nil
end

-- The module without the states that `except` names, their names, and the tensors without those of the same names. A
-- name that the module does not have is an error.
local function without(module, tensors, except, target)
  local states, left, kept, used, known = {}, {}, {}, {}, {}
  for _, entry in ipairs(module:named_states()) do
    local exception = is_below(entry.name, except)
    local list = exception and left or states
    list[#list + 1] = exception and entry.name or entry
    used[exception or ""] = true
    known[#known + 1] = entry.name:match "^(.*)%." or entry.name
  end
  for _, exception in ipairs(except) do
    if not used[exception] then
      fail("load: except: there is no '%s' in %s%s", exception, target, arguments.suggestion(exception, known))
    end
  end
  for _, item in ipairs(tensors) do
    if not is_below(item.name, except) then kept[#kept + 1] = item end
  end
  return { named_states = function() return states end }, left, kept
end

-- Pairs the states of a module with tensors by name. -> list of { state =, tensor = }, differences { missing,
-- unexpected, unreadable, wrong }, how many names fit, and the tensors of another shape, list of { entry =, tensor = }.
-- `target` names the module for messages.
local function match(module, tensors, target)
  local found, fitting, misshapen = {}, 0, {}
  local differences = { missing = {}, unexpected = {}, unreadable = {}, wrong = {} }
  local by_name, used = {}, {}
  for _, item in ipairs(tensors) do by_name[item.name] = item end
  for _, entry in ipairs(module:named_states()) do
    local name, state, item = entry.name, entry.state, by_name[entry.name]
    used[name] = true
    local default = not item and substitute(entry)
    if default then
      found[#found + 1] = { state = state, tensor = default }
    elseif not item then
      table.insert(differences.missing, name)
    elseif item.problem then
      table.insert(differences.unreadable, name .. ": " .. item.problem)
    else
      local tensor = item.tensor
      local converted = #tensor:shape() == #state:shape() and weights.from_pytorch(tensor, axes_of(entry)) or tensor
      if same(converted:shape(), state:shape()) then
        found[#found + 1] = { state = state, tensor = converted }
        fitting = fitting + 1
      else
        misshapen[#misshapen + 1] = { entry = entry, tensor = converted }
        table.insert(differences.wrong, ("%s: %s in the file, %s in %s (axes as in %s)"):format(name,
          shape_text(converted:shape()), shape_text(state:shape()), target, target))
      end
    end
  end
  for _, item in ipairs(tensors) do
    if not used[item.name] and not item.name:find("^icl%.constant%.") then  -- which belong to a description
      table.insert(differences.unexpected, item.name)
    end
  end
  return found, differences, fitting, misshapen
end

-- What to do where the last layer alone is of another shape, since it is for another number of classes; or nil.
local function classes_text(module, differences, misshapen, target)
  local others = #differences.missing + #differences.unexpected + #differences.unreadable
  local states = module:named_states()
  if others > 0 or #misshapen == 0 then return nil end
  for _, item in ipairs(misshapen) do
    if item.entry.module ~= states[#states].module then return nil end
  end
  local own, layer = misshapen[1].entry.state, misshapen[1].entry.name:match "^(.*)%."
  if not layer then return nil end
  return ("The last layer is for %d classes in the file and for %d in %s: model:load(path, { except = \"%s\" }) loads "
    .. "all but it"):format(misshapen[1].tensor:size(-1), own:size(-1), target, layer)
end

local function difference_text(differences, target)
  local parts = {}
  for _, kind in ipairs {
    { names = differences.missing, meaning = "not in the file" },
    { names = differences.unexpected, meaning = "not in " .. target },
    { names = differences.unreadable, meaning = "not readable" },
    { names = differences.wrong, meaning = "of another shape" },
  } do
    local names = kind.names
    if #names > 0 then
      local shown = table.concat(names, ", ", 1, math.min(#names, 20))
      parts[#parts + 1] = ("%d %s: %s%s"):format(#names, kind.meaning, shown, #names > 20 and ", ..." or "")
    end
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

-- What all names of a list begin with, up to a point: "module."; or nil.
local function common_prefix(tensors)
  local prefix = #tensors > 0 and tensors[1].name:match "^[^.]+%." or nil
  for _, item in ipairs(tensors) do
    if prefix and item.name:sub(1, #prefix) ~= prefix then prefix = nil end
  end
  return prefix
end

-- What to do where not one name fits: that all names have a prefix is the usual reason.
local function prefix_text(tensors)
  local prefix = common_prefix(tensors)
  if not prefix then return "" end
  return ("; all in the file begin with %s, which rename = function(name) return name:sub(%d) end takes away"):format(
    prefix, #prefix + 1)
end

-- The tensors under the names that rename(name) gives them; those for which it gives nil are left out.
local function renamed(tensors, rename)
  if rename == nil then return tensors end
  arguments.typed("load: rename", rename, "function", "a function of a name")
  local list, seen = {}, {}
  for _, item in ipairs(tensors) do
    local name = rename(item.name)
    if name and type(name) ~= "string" then
      fail("load: rename gives %s for %s; it must give a name, or nil for what is to be left out",
        arguments.described(name), item.name)
    elseif name and seen[name] then
      fail("load: rename makes %s of both %s and %s", name, seen[name], item.name)
    elseif name then
      seen[name] = item.name
      list[#list + 1] = setmetatable({ name = name }, { __index = item })
    end
  end
  return list
end

-- Which states an optimizer has depends on the steps that it took: now it has those that were saved in a list. -> what
-- undoes that when it is closed, unless its field `stays` is set.
local function arranged(module, tensors)
  local undo = module.arrange_states and module:arrange_states(tensors)
  return setmetatable({}, { __close = function(self)
    if undo and not self.stays then undo() end
  end })
end

-- weights.load_state_dict(module, list of { name =, tensor = } [, { strict = true, rename = function(name), except =
-- }]) -> { missing, unexpected, unreadable, wrong, left }, lists of names. All names and shapes must agree unless strict
-- is false; nothing is changed if they do not. `strict = false` takes what fits, of which there must be something.
-- rename gives the name that an entry has in the module, or nil to leave it out. except names a layer or a list of them,
-- "fc" or { "fc", "stage3" }, the states of which stay as they are, whatever the file has for them; `left` lists these.
-- names = "torchvision" says that the names are those of torchvision, for networks that it has too, "own" that they are
-- not; else those are taken of which more fit. A file may lack what old versions of PyTorch did not write, the counters
-- of batch norm, which are then 0. The module may be anything with named_states, such as an optimizer; for messages,
-- `target` names it, `advice` says what to do, and with may_be_none = true nothing need fit.
function weights.load_state_dict(module, tensors, options)
  check_module("load", module)
  core.refuse_suspended "load"
  arguments.typed("load", tensors, "table", "a list of { name =, tensor = }")
  options = arguments.options("load", options, { strict = true, source = "the file", target = "the model" },
    { "rename", "except", "advice", "names", "may_be_none" })
  tensors = renamed(tensors, options.rename)
  tensors = renamed(tensors, torchvision.chosen("load", module, tensors, options.names))
  local left = {}
  if options.except then
    module, left, tensors = without(module, tensors, exceptions(options.except), options.target)
  end
  local arrangement <close> = arranged(module, tensors)
  local found, differences, fitting, misshapen = match(module, tensors, options.target)
  local text, hint = difference_text(differences, options.target), ""
  if fitting == 0 then hint = prefix_text(tensors) end
  if text and options.strict then
    local advice = options.advice or classes_text(module, differences, misshapen, options.target)
      or "model:load(path, { strict = false }) loads what fits"
    fail("load: %s does not fit %s; %s. " .. advice .. "%s", options.source, options.target, text,
      hint)
  elseif text and fitting == 0 and not options.may_be_none then
    fail("load: 0 of %d names in %s fit %s%s; %s", #tensors, options.source, options.target, hint, text)
  end
  for _, pair in ipairs(found) do pair.state:write(pair.tensor:cast(pair.state:dtype())) end
  arrangement.stays = true
  differences.left = left
  return differences
end

-- The file that a path stands for: of the folder of a run its weights.safetensors.
local function file_of(path)
  return core.file_kind(path) == "folder" and path:gsub("(.)/+$", "%1") .. "/weights.safetensors" or path
end

-- Tensors and metadata of a file; an error where its checksum says that it is damaged.
local function read_whole(path)
  local whole, message = core.safetensors_verify(path)
  if not whole then fail("%s", message) end
  return core.safetensors_read(path)
end

-- weights.read(path) -> list of { name =, tensor = }, the weights in a file, or of the run in a folder; of a checkpoint
-- of a run those of its model.
function weights.read(path)
  local list, metadata = read_whole(file_of(arguments.path("icl.weights.read", path)))
  local ok, about = pcall(core.json_decode, metadata.icl or "null")
  return ok and type(about) == "table" and about.state and weights.under("model", list) or list
end

-- weights.write(path, list of { name =, tensor = }): a safetensors file of tensors as they are, with a checksum; read
-- gives them back. The file is replaced as a whole or not at all.
function weights.write(path, list, ...)
  local what = "icl.weights.write"
  arguments.no_more(what, "a path and a list of { name =, tensor = }", ...)
  arguments.path(what, path)
  for i, item in ipairs(arguments.typed(what, list, "table", "a list of { name =, tensor = } behind the path")) do
    if type(item) ~= "table" or type(item.name) ~= "string" then
      fail("%s: item %d is %s; it must be { name =, tensor = }", what, i, arguments.described(item))
    end
    arguments.tensor(("%s: tensor of item %d, %s,"):format(what, i, item.name), item.tensor)
  end
  if #list == 0 then fail("%s: the list is empty; it must be one of { name =, tensor = }", what) end
  core.refuse_suspended(what)
  core.safetensors_write(path, list, { format = "pt", checksum = "crc32" })
end

-- weights.averages(path) -> list of { name =, tensor = }: the averages in a checkpoint of a run that keeps an icl.ema
-- under the name ema.
function weights.averages(path)
  local found = {}
  for _, item in ipairs(weights.under("ema", (read_whole(path)))) do
    if item.name ~= "n_averaged" then found[#found + 1] = item end
  end
  if #found == 0 then
    fail("%s: no averages of weights are in it; the checkpoints of a run with --ema hold them", path)
  end
  return found
end

-- weights.load(module, path [, { strict = true, rename = function(name), except =, names = }]): what m:load does; see
-- load_state_dict.
function weights.load(module, path, options, ...)
  check_module("load", module)
  arguments.no_more("load", "a path and a table of options", ...)
  arguments.path("load", path)
  options = arguments.options("load", options, { strict = true }, { "rename", "except", "names" })
  options.source = path
  return weights.load_state_dict(module, weights.read(path), options)
end

return weights
