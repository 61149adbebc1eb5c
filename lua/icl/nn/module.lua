-- nn/module.lua: the base of layers and models.
--
-- A field that is a module or a state is registered when it is first assigned; the order of assignment is the order
-- of the parameters. Names are the paths of fields: "stage1.block1.bn1.weight". Calling a module calls its `forward`.
local fail = require "icl.internal.fail"
local scope = require "icl.internal.scope"
local observer = require "icl.nn.observer"

local Module = {}
Module.__index = Module

local is_module = setmetatable({}, { __mode = "k" })  -- instances

local function is_state(value)
  return type(value) == "userdata" and getmetatable(value).__name == "icl.state"
end

-- Puts `prefix` before the names of all states of a module, which messages show.
local function rename(module, prefix)
  for _, key in ipairs(module._fields) do
    local value = rawget(module, key)
    if is_state(value) then
      value:rename(prefix .. "." .. value.name)
    elseif is_module[value] then
      rename(value, prefix)
    end
  end
end

local function register(module, key, value)
  if is_module[value] then
    rawset(value, "_name", key)
    rename(value, key)
    module._fields[#module._fields + 1] = key
  elseif is_state(value) then
    value:rename(key)
    module._fields[#module._fields + 1] = key
  end
  rawset(module, key, value)
end

local function call(module, ...)
  scope.enter(module._name)
  local leave <close> = scope.leave
  local tell = observer.tell
  if not tell then return module:forward(...) end
  local result = module:forward(...)
  tell(module, result)
  return result
end

-- A class of modules: a table to put `init` (called by the constructor) and `forward` into; what it lacks is taken from
-- the class `base`. Calling it makes an instance.
function Module.class(name, base)
  local class = setmetatable({ class_name = name }, {
    __index = base or Module,
    __call = function(self, ...)
      local instance = setmetatable({ _fields = {}, training = true }, self.instance)
      is_module[instance] = true
      instance:init(...)
      return instance
    end,
  })
  class.instance = {
    __index = class, __newindex = register, __call = call,
    __tostring = function(self) return require "icl.nn.summary".text(self) end,
    __name = name,
  }
  return class
end

function Module:init() end

function Module:forward()
  fail("module %s has no forward", self.class_name)
end

-- m:children() -> an iterator over (name, module) of the modules that are fields of this one, in order.
function Module:children()
  local i = 0
  return function()
    repeat i = i + 1 until not self._fields[i] or is_module[rawget(self, self._fields[i])]
    local key = self._fields[i]
    if key then return key, rawget(self, key) end
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

-- m:named_states() -> list of { name =, state =, module =, key = }: parameters and running statistics in order of
-- assignment, each the field `key` of a module; a state that several modules share appears once.
function Module:named_states()
  local list, seen = {}, {}
  local function visit(module, path)
    for _, key in ipairs(module._fields) do
      local value = rawget(module, key)
      local name = path .. key
      if is_module[value] then
        visit(value, name .. ".")
      elseif is_state(value) and not seen[value] then
        seen[value] = true
        list[#list + 1] = { name = name, state = value, module = module, key = key }
      end
    end
  end
  visit(self, "")
  return list
end

-- m:named_parameters() -> list of { name =, state = }: the states that are trained, frozen ones included.
function Module:named_parameters()
  local list = {}
  for _, entry in ipairs(self:named_states()) do
    if not entry.module:is_statistic(entry.key) then
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

-- Is the state in this field a running statistic rather than a parameter? A layer with statistics lists their names in
-- `statistics`.
function Module:is_statistic(key)
  return self.statistics ~= nil and self.statistics[key] == true
end

-- m:count() -> how many numbers are trained.
function Module:count()
  local count = 0
  for _, state in ipairs(self:parameters()) do count = count + state:count() end
  return count
end

-- m:apply(f): calls f(module, name) with this module and everything below it; returns itself.
function Module:apply(f)
  for _, entry in ipairs(self:named_modules()) do f(entry.module, entry.name) end
  return self
end

-- m:train([on]): training mode (batch statistics, dropout), m:eval(): evaluation mode.
function Module:train(on)
  return self:apply(function(module) module.training = on ~= false end)
end

function Module:eval()
  return self:train(false)
end

-- m:freeze([on]): its parameters are not trained, or are again with `false`.
function Module:freeze(on)
  for _, state in ipairs(self:parameters()) do state:freeze(on ~= false) end
  return self
end

-- m:save(path): all states as a safetensors file in PyTorch's layouts and names.
function Module:save(path)
  require "icl.weights".save(self, path)
end

-- m:load(path [, { strict = true }]): the states from such a file; see weights.lua.
function Module:load(path, options)
  return require "icl.weights".load(self, path, options)
end

return Module
