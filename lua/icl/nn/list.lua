-- nn/list.lua: layers in a list: list[1], list[-1], #list, ipairs(list). They are called "0", "1", ..., as in the files
-- of PyTorch.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local Module = require "icl.nn.module"

local NAMES = {}  -- the key of the list of names

-- A place that counts from 1, or from -1 at the end, as one that counts from 1.
local function from_1(i, count)
  return i < 0 and i + count + 1 or i
end

-- list:at(i) or list[i] -> the module at a place, from 1, or from -1 at the end.
local List = Module.class("list", nil, function(members, i)
  local names = members[NAMES]
  local name = names[from_1(i, #names)]
  return name and members[name]
end)

-- A function as a module.
local Function = Module.class "function"

function Function:init(f)
  self.f = f
end

function Function:forward(...)
  return self.f(...)
end

-- The module that an entry is, or becomes if it is a function.
local function module_of(list, place, entry)
  if Module.is(entry) then return entry end
  if type(entry) == "function" then return Function(entry) end
  local what = "nn." .. list.class_name
  if Module.is_class(entry) then
    fail("%s: entry %s is the class %s; call it to make a layer: nn.%s(...)", what, place, entry.class_name,
      entry.class_name)
  end
  fail("%s: entry %s is %s; it must be a module, a function or { name, module }", what, place,
    arguments.described(entry))
end

-- The entries of nn.list { a, b } or nn.list(a, b).
local function entries_of(list, first, ...)
  local is_one = type(first) == "table" and getmetatable(first) == nil and type(first[1]) ~= "string"
  if not is_one then return first == nil and {} or { first, ... } end
  arguments.no_more("nn." .. list.class_name, "one list, or layers one by one", ...)
  for key in pairs(first) do
    if math.type(key) ~= "integer" or key < 1 or key > #first then
      fail('nn.%s: %s = ... has no place in the order; write { "%s", module }', list.class_name, tostring(key), key)
    end
  end
  return first
end

-- nn.list { a, b, ... } or nn.list(a, b, ...): an entry is a module, a function, or { "name", module }, which then has
-- a name of its own in files. A list has no forward; its layers are called one by one:
--
--   for _, layer in ipairs(self.layers) do x = layer(x) end
--
-- list[i] = module puts another one at a place, table.remove(list, i) takes one out, and list:append(module) adds one.
function List:init(...)
  self[NAMES] = {}
  local entries = entries_of(self, ...)
  for i = 1, #entries do
    local entry = entries[i]
    if type(entry) == "table" and getmetatable(entry) == nil and type(entry[1]) == "string" then
      self:append(entry[2], entry[1])
    else
      self:append(entry)
    end
  end
end

-- list:length() or #list -> how many modules there are.
function List:length()
  return #self[NAMES]
end

-- Takes the last entry out, as table.remove(list, i) does at its end, when it has moved the others; names are those of
-- places and stay there. -> its name, or nil where there is none.
local function drop_last(list, i)
  local names = list[NAMES]
  local name = names[i]
  if name and i < #names then
    fail("nn.%s: entry %d cannot be nil; table.remove(list, %d) takes it out", list.class_name, i, i)
  end
  names[i] = nil
  return name
end

local function check_free(list, place, name)
  if list[name] ~= nil then
    fail("nn.%s: entry %d cannot be called %s; there is such a field already", list.class_name, place, name)
  end
end

-- What list[i] = value means: the key, and the value as a module. The place behind the last one appends; nil in the
-- place of the last one takes it out.
function List:place(i, value)
  local names = self[NAMES]
  i = from_1(i, #names)
  if value == nil then return drop_last(self, i) end
  local module = module_of(self, i, value)
  if i < 1 or i > #names + 1 then
    fail("nn.%s: there is no place %d; it has %d entries, and %d appends", self.class_name, i, #names, #names + 1)
  end
  if not names[i] then
    check_free(self, i, tostring(i - 1))
    names[i] = tostring(i - 1)
  end
  return names[i], module
end

-- l:append(module [, name]); returns itself.
function List:append(module, name)
  local names, place = self[NAMES], #self + 1
  if name ~= nil then arguments.typed("append", name, "string", "a module and its name, a text") end
  name = name or tostring(place - 1)
  check_free(self, place, name)
  self[name] = module_of(self, place, module)
  names[place] = name
  return self
end

return List
