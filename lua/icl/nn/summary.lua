-- nn/summary.lua: a model as a tree: class and sizes of each module, shape of its result, parameters,
-- multiply-accumulates.
local core = require "icl.core"
local Module = require "icl.nn.module"

local summary = {}

-- 1234567 -> "1,234,567"
local function grouped(n)
  local text = ("%d"):format(n)
  local head, tail = text:match "^(%d%d?%d?)(%d*)$"
  return head .. tail:gsub("%d%d%d", ",%0")
end

-- Result shapes by module, from recording a forward pass of one image that is never evaluated. Nothing if that is
-- impossible here: no known input, or inside a step.
local function result_shapes(model, input)
  if not input or core.in_step() then return {} end
  local shapes, modes = {}, {}
  model:apply(function(module) modes[module] = module.training end)
  core.step_begin()
  core.no_grad_begin()
  local restore <close> = setmetatable({}, { __close = function()
    core.no_grad_end()
    core.step_cancel()
    model:apply(function(module) module.training = modes[module] end)
  end })
  model:eval()
  Module.observe(function(module, result)
    if type(result) == "userdata" then shapes[module] = result:shape() end
  end, model, core.full({ 1, table.unpack(input) }, 0))
  return shapes
end

-- Multiply-accumulates of a module and everything below it for one image.
local function macs_below(module, shapes)
  local total = 0
  module:apply(function(part)
    if part.macs and shapes[part] then total = total + part:macs(shapes[part]) end
  end)
  return total
end

-- "(32, 32, 16)": a result's shape without the axis of images.
local function shape_text(shape)
  return shape and "(" .. table.concat(shape, ", ", 2) .. ")" or ""
end

local function add_lines(rows, module, name, indent, shapes)
  local macs = macs_below(module, shapes)
  local title = module.text and module.class_name .. " " .. module.text or module.class_name
  rows[#rows + 1] = {
    ("  "):rep(indent) .. (name and name .. ": " or "") .. title,
    shape_text(shapes[module]), module:count() > 0 and grouped(module:count()) or "", macs > 0 and grouped(macs) or "",
  }
  for child_name, child in module:children() do add_lines(rows, child, child_name, indent + 1, shapes) end
end

-- summary.macs(model [, input]): multiply-accumulates of convolutions and linear layers for one image of { h, w, c }.
function summary.macs(model, input)
  return macs_below(model, result_shapes(model, input or model.input))
end

-- summary.text(model [, input]): the tree as text; input = { h, w, c }, model.input unless given.
function summary.text(model, input)
  local rows = { { "module", "result", "parameters", "MACs" } }
  add_lines(rows, model, nil, 0, result_shapes(model, input or model.input))
  local widths = { 0, 0, 0, 0 }
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i], #cell) end
  end
  local lines = {}
  for i, row in ipairs(rows) do
    local line = ("%-" .. widths[1] .. "s  %-" .. widths[2] .. "s  %" .. widths[3] .. "s  %" .. widths[4] .. "s")
      :format(table.unpack(row))
    lines[i] = line:gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return summary
