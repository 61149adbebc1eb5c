-- help/ops.lua: what the registry knows about an op, as text.
local core = require "icl.core"

local op_help = {}

local function default_text(attribute)
  local value = attribute.default
  if type(value) == "table" then return "{}" end  -- no other list is a default
  if type(value) == "string" then return ("%q"):format(value) end
  return tostring(value)
end

-- The inputs as the description calls them, where it begins with a list of them: "x (n, h, w, i), w -> ...".
local function input_names(op)
  local names = {}
  for part in (op.doc:gsub("%b()", ""):match "^(.-)%->" or ""):gmatch "[^,]+" do
    local name = part:match "^%s*([%a_][%w_]*)"
    names[#names + 1] = name ~= "u8" and name or "x"
  end
  if #names == op.most then return names end
  for i = 1, op.most do names[i] = op.most <= 3 and ("xyz"):sub(i, i) or "x" .. i end
  return names
end

-- "x, w", and what may be left out in brackets.
local function inputs_text(op)
  local names = input_names(op)
  local text = table.concat(names, ", ", 1, op.least)
  if op.most == op.least then return text end
  if op.most - op.least > 2 then return text .. " [, ...]" end
  return ("%s [, %s]"):format(text, table.concat(names, ", ", op.least + 1, op.most))
end

-- "icl.ops.conv2d(x, w, { stride = 1, ... })"
local function signature(op)
  local inputs, attributes = inputs_text(op), {}
  if #op.attributes == 0 then return ("icl.ops.%s(%s)"):format(op.name, inputs) end
  for i, attribute in ipairs(op.attributes) do
    local default = attribute.default ~= nil and " = " .. default_text(attribute) or ""
    attributes[i] = attribute.name .. default
  end
  return ("icl.ops.%s(%s%s{ %s })"):format(op.name, inputs, inputs == "" and "" or ", ", table.concat(attributes, ", "))
end

local kinds = {
  int = "an integer", flag = "true or false", pair = "a number, or { height, width }",
  dim = "an axis, from 1, or from the end as -1", dims = "a list of axes", shape = "a list of sizes",
  real = "a number", dtype = "a dtype: \"f32\", \"bf16\", ...",
}

-- op_help.text(name) -> text, or nil if there is no such op.
function op_help.text(name)
  local op = core.describe_op(name)
  if not op then return nil end
  local lines = { signature(op), "  " .. op.doc }
  for _, attribute in ipairs(op.attributes) do
    lines[#lines + 1] = ("  %-10s %s%s"):format(attribute.name, kinds[attribute.kind],
      attribute.default == nil and ", must be given" or ", default " .. default_text(attribute))
  end
  if op.differentiable then lines[#lines + 1] = "  It has a gradient." end
  if op.least > 0 then lines[#lines + 1] = ("  Also a method of its first input: x:%s(...)"):format(name) end
  return table.concat(lines, "\n")
end

-- op_help.name_of(f) -> the op that a function records, or nil.
function op_help.name_of(f)
  for name, op in pairs(core.ops) do
    if op == f then return name end
  end
  return nil
end

-- op_help.names() -> the names of all ops for users, sorted.
function op_help.names()
  local names = {}
  for name in pairs(core.ops) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return op_help
