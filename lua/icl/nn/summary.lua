-- nn/summary.lua: a model as a tree: class and sizes of each module, shape of its result, parameters,
-- multiply-accumulates.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local observer = require "icl.nn.observer"
local pad = require "icl.internal.pad"

local summary = {}

-- summary.grouped(1234567) -> "1,234,567"
function summary.grouped(n)
  n = arguments.integer("nn.summary.grouped: n", n, 0)
  local text = ("%d"):format(n)
  local first = (#text - 1) % 3 + 1
  return text:sub(1, first) .. text:sub(first + 1):gsub("%d%d%d", ",%0")
end

local function check_model(name, model)
  if type(model) ~= "table" or type(model.apply) ~= "function" then
    fail("nn.summary.%s: it takes a module, not %s", name, arguments.described(model))
  end
end

-- Shapes of results and multiply-accumulates by module, from recording a forward pass of one image that is never
-- evaluated: { shapes =, macs = }. A module that is called more than once counts each time. Nothing if that is
-- impossible here: no known input, or inside a step.
local function trace(model, input)
  local found, modes = { shapes = {}, macs = {} }, {}
  if not input or core.in_step() then return found end
  model:apply(function(module) modes[module] = module.training end)
  core.step_begin()
  core.no_grad_begin()
  local restore <close> = setmetatable({}, { __close = function()
    core.no_grad_end()
    core.step_cancel()
    model:apply(function(module) module.training = modes[module] end)
  end })
  model:eval()
  observer.during(function(module, result)
    if type(result) ~= "userdata" then return end
    found.shapes[module] = result:shape()
    if module.macs then found.macs[module] = (found.macs[module] or 0) + module:macs(result:shape()) end
  end, model, core.full({ 1, table.unpack(input) }, 0))
  return found
end

-- Multiply-accumulates of a module and everything below it for one image; a module that is there twice counts once.
local function macs_below(module, found)
  local total, seen = 0, {}
  module:apply(function(part)
    if not seen[part] then total = total + (found.macs[part] or 0) end
    seen[part] = true
  end)
  return total
end

-- summary.macs(model [, input]): multiply-accumulates of convolutions and linear layers for one image of { h, w, c }.
function summary.macs(model, input)
  check_model("macs", model)
  return macs_below(model, trace(model, input or model.input))
end

local function add_entries(list, module, name, path, depth, found)
  local shape = found.shapes[module]
  list[#list + 1] = {
    name = name, path = path, depth = depth, class = module.class_name, sizes = module.text,
    shape = shape and { table.unpack(shape, 2) }, parameters = module:count(), macs = macs_below(module, found),
  }
  for child_name, child in module:children() do
    add_entries(list, child, child_name, path == "" and child_name or path .. "." .. child_name, depth + 1, found)
  end
end

-- summary.list(model [, input]) -> a table for the model and for each module below it, in order: name, path ("" for the
-- model), depth in the tree, class, sizes (text or nil), shape of the result for one image (nil where it is not a
-- tensor), parameters and macs with all that is below. input = { h, w, c }, model.input unless given.
function summary.list(model, input)
  check_model("list", model)
  local list = {}
  add_entries(list, model, nil, "", 0, trace(model, input or model.input))
  return list
end

local function row(entry)
  local title = entry.sizes and entry.class .. " " .. entry.sizes or entry.class
  local function count(n) return n > 0 and summary.grouped(n) or "" end
  return {
    ("  "):rep(entry.depth) .. (entry.name and entry.name .. ": " or "") .. title,
    entry.shape and "(" .. table.concat(entry.shape, ", ") .. ")" or "", count(entry.parameters), count(entry.macs),
  }
end

-- summary.text(model [, input]): the tree as text; input as for summary.list.
function summary.text(model, input)
  check_model("text", model)
  local rows, widths = { { "module", "result", "parameters", "MACs" } }, { 0, 0, 0, 0 }
  for _, entry in ipairs(summary.list(model, input)) do rows[#rows + 1] = row(entry) end
  for _, cells in ipairs(rows) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i], pad.width(cell)) end
  end
  local lines = {}
  for i, cells in ipairs(rows) do
    local shown = {}
    for k, cell in ipairs(cells) do shown[k] = (k <= 2 and pad.right or pad.left)(cell, widths[k]) end
    lines[i] = table.concat(shown, "  "):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return summary
