-- fit/header.lua: the lines that a training begins with: what is trained, on what, and how.
local core = require "icl.core"
local help = require "icl.options.help"
local processes = require "icl.internal.processes"
local random = require "icl.random"
local settings = require "icl.fit.settings"
local summary = require "icl.nn.summary"

local grouped = summary.grouped

local function data_line(fit)
  local counts, set = {}, fit.train
  for _, part in ipairs { { "training", set }, { "validation", fit.val }, { "test", fit.test } } do
    if part[2] then counts[#counts + 1] = ("%s %s"):format(grouped(part[2].count), part[1]) end
  end
  return ("Data: %s, %s images of %s, %d classes"):format(set.name or "own", table.concat(counts, ", "),
    table.concat(set.shape, " x "), set.classes)
end

-- What the folders of the sets hold besides the images that are used.
local function add_left_out(list, fit)
  local validation = fit.val or fit.test
  for _, part in ipairs { { name = "training", set = fit.train }, { name = "validation", set = validation } } do
    local set = part.set or {}
    if (set.skipped or 0) > 0 then
      list[#list + 1] = ("Left out of the %s folder by name: %s"):format(part.name, grouped(set.skipped))
    end
    if (set.bad or 0) > 0 then
      list[#list + 1] = ("Left out of the %s folder, since they cannot be read: %s\n%s"):format(part.name,
        grouped(set.bad), set.report)
    end
  end
end

-- layers: what summary.list returned, or nil.
local function model_line(model, layers)
  if not layers then return nil end
  return ("Model: %s, %s parameters, %s multiply-accumulates an image"):format(model.class_name or "own",
    grouped(layers[1].parameters), grouped(layers[1].macs))
end

-- How many processes there are, and what a batch is to them; nil where there is one.
local function processes_line(loader)
  if not processes.are_several() then return nil end
  local group, hosts, known = processes.group(), 0, {}
  for rank = 0, processes.size() - 1 do
    local host = group:host(rank)
    if not known[host] then hosts, known[host] = hosts + 1, true end
  end
  return ("Processes: %d on %d machine%s; a batch has %d images, %d of each at most"):format(processes.size(), hosts,
    hosts > 1 and "s" or "", loader.global_batch_size or loader.batch_size * processes.size(), loader.batch_size)
end

-- The options, in lines that keep a switch and its value together.
local function add_options(list, changed)
  local glued = {}
  for i, option in ipairs(changed) do glued[i] = (option:gsub(" ", "\0")) end
  local text = "Options that differ from the defaults: " .. (#changed > 0 and table.concat(glued, " ") or "none")
  for _, line in ipairs(help.wrapped(text, 0)) do list[#list + 1] = (line:gsub("\0", " ")) end
end

-- header.lines(fit, layers, folder) -> list of texts. fit: model, train, val, test, given (the options as they were
-- given), train_loader, notes; folder: that of the run, or nil.
local function lines(fit, layers, folder)
  local changed, presets, result = settings.changed(fit.given)
  local list = { data_line(fit) }
  add_left_out(list, fit)
  list[#list + 1] = model_line(fit.model, layers)
  list[#list + 1] = ("Device: %s; seed %d"):format(core.describe_device():gsub("\n.*", ""), random.current_seed())
  list[#list + 1] = processes_line(fit.train_loader)
  if folder then list[#list + 1] = "Folder: " .. core.printable(folder) end
  if #presets > 0 then list[#list + 1] = "Preset: " .. table.concat(presets, ", ") end
  if result then list[#list + 1] = "Result: " .. result end
  add_options(list, changed)
  for _, note in ipairs(fit.notes) do list[#list + 1] = "Note: " .. note end
  return list
end

return { lines = lines }
