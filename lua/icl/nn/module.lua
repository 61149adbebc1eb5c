-- nn/module.lua: the base of layers and models.
--
-- A field that is a module or a state is registered when it is assigned; the order of first assignment is the order of
-- the parameters. Names are the paths of fields: "stage1.block1.bn1.weight". Calling a module calls its `forward`.
--
-- A state that is trained is a parameter. Any other is a buffer: it is saved and loaded, but no optimizer sees it. A
-- tensor in a field is a constant, neither trained nor saved.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local elsewhere = require "icl.internal.elsewhere"
local fail = require "icl.internal.fail"
local scope = require "icl.internal.scope"
local observer = require "icl.nn.observer"

local Module = setmetatable({}, elsewhere.hints "module")
Module.__index = Module

-- By instance: { name =, parent =, members = its fields, order = keys of modules and states, buffers = set of keys,
-- is_list = }.
local records = setmetatable({}, { __mode = "k" })

local parameters = setmetatable({}, { __mode = "k" })  -- the states that are or were a parameter, also while frozen

-- Module.is(value): is it a module?
function Module.is(value)
  return records[value] ~= nil
end

-- Module.is_class(value): is it a class of modules, which is to be called?
function Module.is_class(value)
  return type(value) == "table" and rawget(value, "class_name") ~= nil
end

local function is_state(value)
  return type(value) == "userdata" and (getmetatable(value) or {}).__name == "icl.state"
end

-- ---- fields ----

-- The names that lead to a module from the one at the top.
local function path_of(module)
  local record = records[module]
  if not record.parent then return record.name or "" end
  local above = path_of(record.parent)
  return above == "" and record.name or above .. "." .. record.name
end

-- Gives all states of a module the names that messages show; `path` leads to it.
local function rename(module, path)
  local record = records[module]
  for _, key in ipairs(record.order) do
    local value, name = record.members[key], path == "" and key or path .. "." .. key
    if is_state(value) then value:rename(name) else rename(value, name) end
  end
end

-- An error where a module would be below itself.
local function check_parents(module, key, value)
  local above = module
  while above do
    if above == value then
      fail("%s: field %s would put a module below itself; keep a parent in a table, { parent }, if it is needed at all",
        module.class_name, key)
    end
    above = records[above].parent
  end
end

local function check_name(module, key)
  if type(key) ~= "string" or key == "" or key:find(".", 1, true) then
    fail("%s: %s cannot be the name of a module or state; it must be a text without a point", module.class_name,
      arguments.described(key))
  end
end

-- What a class, or one that it is made of, has under a name.
local function inherited(class, key)
  while class ~= Module and rawget(class, key) == nil do class = getmetatable(class).__index end
  return rawget(class, key)
end

-- An error where a field would hide a method; a function may take its place.
local function check_hidden(module, key)
  local own = rawget(records[module].members, key)
  if own == nil and type(inherited(getmetatable(module).class, key)) == "function" then
    fail("%s: %s is a method of modules and cannot be the name of a field", module.class_name, tostring(key))
  end
end

-- An error for a tensor that is meant to be trained. What a forward keeps of its results depends on parameters too.
local function check_constant(module, key, value)
  if scope.is_called() or core.in_step() or not core.needs_gradient(value) then return end
  fail("%s: field %s is a tensor with a gradient, but tensors in fields are neither trained nor saved; "
    .. "parameter(name, value) makes it trained, buffer(name, value) saved, and :detach() a constant",
    module.class_name, tostring(key))
end

-- An error for a value in place of a state, which would be a parameter no more.
local function check_replaced(module, key, before, value)
  if not is_state(before) or value == nil then return end
  local kind = parameters[before] and "parameter" or "buffer"
  fail("%s: field %s is a %s, and %s cannot take its place: %s:write(value) gives it another value, %s(name, value) "
    .. "puts another one there, and nil removes it", module.class_name, tostring(key), kind,
    arguments.described(value), tostring(key), kind)
end

local function forget(record, key)
  for i, name in ipairs(record.order) do
    if name == key then return table.remove(record.order, i) end
  end
end

-- A module that is no longer in any field has no parent.
local function let_go(module, child)
  local record = records[module]
  for _, key in ipairs(record.order) do
    if record.members[key] == child then return end
  end
  if records[child].parent == module then records[child].parent, records[child].name = nil, nil end
end

local function assign(module, key, value)
  local record = records[module]
  if record.is_list and type(key) == "string" and value == nil and Module.is(rawget(record.members, key)) then
    fail("nn.%s: entry %s cannot be nil; table.remove(list, i) takes out what is at place i", module.class_name, key)
  elseif record.is_list and math.type(key) == "integer" then
    key, value = module:place(key, value)
    if key == nil then return end  -- nil, where nothing is
  end
  local before, registered = rawget(record.members, key), Module.is(value) or is_state(value)
  if Module.is(value) then check_parents(module, key, value) end
  if not registered then
    check_replaced(module, key, before, value)
    check_constant(module, key, value)
  end
  if type(value) ~= "function" and value ~= nil then check_hidden(module, key) end
  record.buffers[key] = nil
  if Module.is(before) or is_state(before) then
    if not registered then forget(record, key) end
  elseif registered then
    check_name(module, key)
    record.order[#record.order + 1] = key
  end
  if Module.is(value) then
    records[value].name, records[value].parent = key, module
  elseif is_state(value) then
    if value.trainable then parameters[value] = true end
    if not parameters[value] then record.buffers[key] = true end
  end
  record.members[key] = value
  if Module.is(before) then let_go(module, before) end
  if registered then
    local path = path_of(module)
    path = path == "" and key or path .. "." .. key
    if is_state(value) then value:rename(path) else rename(value, path) end
  end
end

local function assign_state(module, what, key, value, trained)
  arguments.typed(what, key, "string", "a name and a first value")
  check_name(module, key)
  check_hidden(module, key)
  if value == nil then fail("%s: %s needs a first value: a tensor, a number or a table", what, key) end
  local state = is_state(value) and value or core.state(value, { trainable = trained })
  state:freeze(not trained)
  parameters[state] = trained or nil
  module[key] = state
  return state
end

-- m:parameter(name, value) -> a state that is trained, the field `name`; value: a tensor, a number, a table, or a state
-- that is to become one.
function Module:parameter(name, value)
  return assign_state(self, "parameter", name, value, true)
end

-- m:buffer(name, value) -> a state that is saved and loaded but not trained, the field `name`: a statistic, a counter.
function Module:buffer(name, value)
  return assign_state(self, "buffer", name, value, false)
end

-- ---- classes ----

local function call(module, ...)
  scope.enter(records[module].name)
  local leave <close> = scope.leave
  local tell = observer.tell
  if not tell then return module:forward(...) end
  local result = module:forward(...)
  tell(module, result)
  return result
end

-- What a module is shown as: what its class has in `shown`, or a summary, which needs modules and is loaded when one is
-- shown.
local function text_of(module)
  return module.shown and module:shown() or require "icl.nn.summary".text(module)
end

-- Fields are kept apart from the instance, which stays empty, so that a field that is assigned anew is noticed.
local function new_instance(class)
  local members = setmetatable({ training = true }, class.inheritance)
  local instance = setmetatable({}, {
    __index = members, __newindex = assign, __call = call, __tostring = text_of, __name = class.class_name,
    __len = class.length, __pairs = function() return next, members end, class = class,
  })
  records[instance] = { members = members, order = {}, buffers = {}, is_list = class.at ~= nil }
  return instance
end

-- Where a member that an instance lacks is looked for.
local function inheritance_of(class)
  if not class.at then return { __index = class } end
  return { class = class, __index = function(members, key)
    if math.type(key) == "integer" then return class.at(members, key) end
    return class[key]
  end }
end

-- A class of modules: a table to put `init` (called by the constructor) and `forward` into; what it lacks is taken from
-- the class `base`. Calling it makes an instance. at(members, i) is for lists: what m[i] is; they have the methods
-- place(i, value), which gives key and value that m[i] = value means, no key if it means nothing, and length().
function Module.class(name, base, at)
  if type(name) ~= "string" then fail("nn.layer: the name is %s; it must be a text", arguments.described(name)) end
  if base ~= nil and not Module.is_class(base) then
    fail("nn.layer: the base is %s; it must be a class of layers", arguments.described(base))
  end
  local class = setmetatable({ class_name = name, at = at }, {
    __index = base or Module,
    __call = function(self, ...)
      local instance = new_instance(self)
      instance:init(...)
      return instance
    end,
  })
  class.inheritance = inheritance_of(class)
  return class
end

function Module:init(...)
  arguments.no_more("nn." .. self.class_name, "no arguments", ...)
end

function Module:forward()
  fail("module %s has no forward", self.class_name)
end

-- ---- the tree ----

-- m:children() -> an iterator over (name, module) of the modules that are fields of this one, in order.
function Module:children()
  local i, record = 0, records[self]
  return function()
    repeat i = i + 1 until not record.order[i] or Module.is(record.members[record.order[i]])
    local key = record.order[i]
    if key then return key, record.members[key] end
  end
end

-- m:named_modules() -> list of { name =, module = }: this one (named "") and everything below it.
function Module:named_modules()
  local list = {}
  local function visit(module, path)
    list[#list + 1] = { name = path, module = module }
    for name, child in module:children() do visit(child, path == "" and name or path .. "." .. name) end
  end
  visit(self, "")
  return list
end

-- The first module or state in a plain table that is not in `known`, or nil; tables in tables up to `depth`.
local function find_hidden(value, known, depth)
  for _, item in next, value do
    if (Module.is(item) or is_state(item)) and not known[item] then return item end
    if type(item) == "table" and getmetatable(item) == nil and depth > 1 then
      local found = find_hidden(item, known, depth - 1)
      if found then return found end
    end
  end
end

-- Layers in a plain table would be neither trained nor saved.
local function check_tables(modules, known)
  for _, entry in ipairs(modules) do
    for key, value in next, records[entry.module].members do
      if type(value) == "table" and getmetatable(value) == nil and find_hidden(value, known, 3) then
        fail("%s: field %s holds layers or states in a plain table, where they would be neither trained nor saved; "
          .. "make it nn.list { ... }, or use parameter() and buffer() for states", entry.module.class_name,
          entry.name == "" and key or entry.name .. "." .. tostring(key))
      end
    end
  end
end

-- m:named_states() -> list of { name =, state =, module =, key = }: parameters and buffers in order of assignment, each
-- the field `key` of a module; a state that several modules share appears once.
function Module:named_states()
  local list, known, modules = {}, {}, self:named_modules()
  local function visit(module, path)
    local record = records[module]
    known[module] = true
    for _, key in ipairs(record.order) do
      local value, name = record.members[key], path .. key
      if Module.is(value) then
        visit(value, name .. ".")
      elseif not known[value] then
        known[value] = true
        list[#list + 1] = { name = name, state = value, module = module, key = key }
      end
    end
  end
  visit(self, "")
  check_tables(modules, known)
  return list
end

-- m:named_parameters() -> list of { name =, state = }: the states that are trained, frozen ones included.
function Module:named_parameters()
  local list = {}
  for _, entry in ipairs(self:named_states()) do
    if not records[entry.module].buffers[entry.key] then
      list[#list + 1] = { name = entry.name, state = entry.state }
    end
  end
  return list
end

-- m:parameters() -> list of states.
function Module:parameters()
  local list = {}
  for i, entry in ipairs(self:named_parameters()) do list[i] = entry.state end
  return list
end

-- m:buffers() -> list of the states that are not trained, such as statistics.
function Module:buffers()
  local list = {}
  for _, entry in ipairs(self:named_states()) do
    if records[entry.module].buffers[entry.key] then list[#list + 1] = entry.state end
  end
  return list
end

-- m:count() -> how many numbers are trained.
function Module:count()
  local count = 0
  for _, state in ipairs(self:parameters()) do count = count + state:count() end
  return count
end

-- ---- what is done to all of it ----

-- m:apply(f): calls f(module, name) with this module and everything below it; returns itself.
function Module:apply(f)
  if type(f) ~= "function" then fail("apply: it takes a function(module, name), not %s", arguments.described(f)) end
  for _, entry in ipairs(self:named_modules()) do f(entry.module, entry.name) end
  return self
end

-- m:train([on]): training mode (batch statistics, dropout), m:eval(): evaluation mode.
function Module:train(on)
  if on ~= nil then arguments.boolean(self.class_name .. ": train", on) end
  return self:apply(function(module) module.training = on ~= false end)
end

function Module:eval()
  return self:train(false)
end

-- module.keep_modes(list) -> something to close, which gives all modules of these models the modes that they have now;
-- what is no module is passed over. `local modes <close> = module.keep_modes { model }`
function Module.keep_modes(list)
  local modes = {}
  for _, model in pairs(list) do
    for _, entry in ipairs(Module.is(model) and model:named_modules() or {}) do
      modes[entry.module] = entry.module.training
    end
  end
  return setmetatable(modes, { __close = function()
    for module, training in pairs(modes) do
      if module.training ~= training then module.training = training end
    end
  end })
end

-- m:to(dtype): its states of floats, parameters and buffers, have this dtype from now on; returns itself. To be called
-- before an optimizer is made, whose states have the dtypes of the parameters.
function Module:to(dtype)
  elsewhere.check_dtype(dtype)
  arguments.choice("to: the dtype", dtype, arguments.names(dtypes.floats))
  for _, entry in ipairs(self:named_states()) do
    if dtypes.floats[entry.state:dtype()] then entry.state:set_dtype(dtype) end
  end
  return self
end

-- m:freeze([on]): its parameters are not trained, or are again with `false`.
function Module:freeze(on)
  for _, state in ipairs(self:parameters()) do state:freeze(on ~= false) end
  return self
end

local copy_of

-- The fields of a module in one that is new. A state or module that is there twice is copied once.
local function copy_module(module, made)
  local copy = new_instance(getmetatable(module).class)
  made[module] = copy
  local from, to = records[module], records[copy]
  for key, value in next, from.members do to.members[key] = copy_of(value, made) end
  for i, key in ipairs(from.order) do
    to.order[i], to.buffers[key] = key, from.buffers[key]
    local value = to.members[key]
    if Module.is(value) then records[value].parent, records[value].name = copy, key end
  end
  return copy
end

local function copy_state(state)
  local copy = core.state(state:read(), { trainable = state.trainable })
  parameters[copy] = parameters[state]
  return copy
end

local function copy_table(from, made)
  local copy = {}
  made[from] = copy
  for key, value in next, from do copy[key] = copy_of(value, made) end
  return copy
end

-- Tensors and functions do not change, so that both may have them; so may objects of other kinds.
function copy_of(value, made)
  if made[value] then return made[value] end
  if Module.is(value) then return copy_module(value, made) end
  if is_state(value) then
    made[value] = copy_state(value)
    return made[value]
  end
  if type(value) == "table" and getmetatable(value) == nil then return copy_table(value, made) end
  return value
end

-- m:clone() -> a module like this one with the same values, modes and frozen parts, and with states of its own: what is
-- done to one leaves the other as it is. Functions that are entries of a list are shared.
function Module:clone(...)
  arguments.no_more("clone", "no arguments", ...)
  core.refuse_suspended "clone"
  local copy = copy_module(self, {})
  rename(copy, "")
  return copy
end

-- m:save(path [, { names = "torchvision" }]): all states as a safetensors file in PyTorch's layouts and names; for
-- networks that torchvision has too, with its names, if they are asked for.
function Module:save(...)
  require "icl.weights".save(self, ...)
end

-- m:load(path [, { strict = true, rename = function(name), except =, names = }]) -> { missing, unexpected, unreadable,
-- wrong, left }, lists of names: the states from such a file, of a run from its folder, or from one with torchvision's
-- names where the network is one of torchvision's (names = "own" or "torchvision" where the file should not decide).
-- strict = false takes what fits; rename gives the name in the module for one in the file, or nil to leave it out;
-- except = "fc", or a list, names layers that stay as they are: where the number of classes is another, the rest is
-- loaded.
function Module:load(...)
  return require "icl.weights".load(self, ...)
end

return Module
