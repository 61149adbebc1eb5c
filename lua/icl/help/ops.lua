-- help/ops.lua: what the registry knows about an op, as text.
local core = require "icl.core"

local op_help = {}

local function default_text(attribute)
  local value = attribute.default
  if type(value) == "table" then return "{ " .. table.concat(value, ", ") .. " }" end
  if type(value) == "string" then return ("%q"):format(value) end
  return tostring(value)
end

-- "conv2d(x, w, { stride = 1, ... })": inputs by number, attributes with their defaults.
local function signature(op)
  local arguments = {}
  for i = 1, op.least do arguments[i] = ("input%d"):format(i) end
  local text = table.concat(arguments, ", ")
  if op.most > op.least then
    text = text .. (" [, input%d%s]"):format(op.least + 1, op.most > op.least + 1 and ", ..." or "")
  end
  if #op.attributes == 0 then return ("icl.ops.%s(%s)"):format(op.name, text) end
  local attributes = {}
  for i, attribute in ipairs(op.attributes) do
    attributes[i] = attribute.default == nil and attribute.name or ("%s = %s"):format(attribute.name, default_text(attribute))
  end
  return ("icl.ops.%s(%s%s{ %s })"):format(op.name, text, text == "" and "" or ", ", table.concat(attributes, ", "))
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
