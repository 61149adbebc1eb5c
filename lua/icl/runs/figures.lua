-- runs/figures.lua: the figures in reports by name: "test.top1" is the field top1 of the set test, "lr" one of the
-- report itself.
local arguments = require "icl.internal.arguments"
local numbers = require "icl.internal.numbers"

local figures = {}

-- Sets of images in the order of their worth for judging a network.
local judges = { "val", "test", "train" }

-- The fields by which a network is judged, the best one first.
local judged_by = { "top1", "loss" }

local LARGEST = 1e150  -- what is larger has no finite square, and is no more a figure than what is not finite

-- figures.split(name) -> set, field: of "val.f1.macro" val and f1.macro; of a figure of the report itself nil and name.
function figures.split(name)
  local set, field = name:match "^([^.]+)%.(.+)$"
  return set, field or name
end

-- figures.reader(name) -> function(report) -> the figure of this name, a number, or nil.
function figures.reader(name)
  local set, field = figures.split(name)
  return function(report)
    local from = report
    if set then from = report[set] end
    local value = type(from) == "table" and from[field]
    return math.type(value) and math.abs(value) <= LARGEST and value + 0.0 or nil
  end
end

-- figures.is_share(name) -> is it a part of the images, from 0 to 1, that was right? It is shown as an error in
-- percent.
function figures.is_share(name)
  return name:find "top%d+$" ~= nil or name:find "accuracy$" ~= nil
end

-- figures.shown(name, value) -> the value as people are shown it, a number: an error in percent for a share.
function figures.shown(name, value)
  return figures.is_share(name) and 100 * (1 - value) or value
end

-- figures.text(name, value) -> the same as a text: "4.12 %", "0.2231".
function figures.text(name, value)
  if not value then return "" end
  return numbers.format(figures.is_share(name) and "%.2f %%" or "%.4g", figures.shown(name, value))
end

local called = { train = "training", val = "validation", test = "test" }
local words = { lr = "Learning rate", images_per_second = "Images a second", loss = "Loss", top1 = "Error" }

-- figures.set_title("test_ema") -> "test, averaged weights".
function figures.set_title(set)
  local base = set:match "^(.*)_ema$"
  return base and figures.set_title(base) .. ", averaged weights" or called[set] or set
end

-- figures.field_title("top5") -> "Top-5 error": what the axis of a chart is called.
function figures.field_title(field)
  local k = field:match "^top(%d+)$"
  return words[field] or k and ("Top-%s error"):format(k) or field
end

-- figures.title("test.top1") -> "Error, test".
function figures.title(name)
  local set, field = figures.split(name)
  if not set then return figures.field_title(name) end
  return ("%s, %s"):format(figures.field_title(field), figures.set_title(set))
end

-- What stands in the names of figures of which a smaller one is better.
local smaller = { "loss", "error", "nll", "perplexity", "penalty", "entropy", "divergence", "distance", "^mse", "^rmse",
                  "^mae", "^ece", "^fpr", "^fnr" }

-- figures.mode(name) -> "min" where a smaller figure of this name is better: one whose field has loss, error, nll,
-- perplexity, penalty, entropy, divergence or distance in its name, or begins with mse, rmse, mae, ece, fpr or fnr;
-- "max" for all others.
function figures.mode(name)
  local _, field = figures.split(name)
  for _, pattern in ipairs(smaller) do
    if field:find(pattern) then return "min" end
  end
  return "max"
end

-- figures.is_better(a, b, mode) -> is the value a better than b? mode: "min" or "max".
function figures.is_better(a, b, mode)
  if mode == "min" then return a < b end
  return a > b
end

-- figures.series(reports, name) -> list of epochs, list of values: of the reports that have the figure.
function figures.series(reports, name)
  local epochs, values, value_of = {}, {}, figures.reader(name)
  for _, report in ipairs(reports) do
    local value = value_of(report)
    if value then epochs[#epochs + 1], values[#values + 1] = report.epoch, value end
  end
  return epochs, values
end

-- figures.last(reports, name) -> { figure = name, epoch =, value = }, or nil where no report has it.
function figures.last(reports, name)
  local value_of = figures.reader(name)
  for i = #reports, 1, -1 do
    local value = value_of(reports[i])
    if value then return { figure = name, epoch = reports[i].epoch, value = value } end
  end
end

-- figures.chosen(name, mode) -> a text for reports: the program has chosen this figure to judge by.
function figures.chosen(name, mode)
  return ("%s %s"):format(mode, name)
end

-- The figure that the program has chosen, and its mode; nil where it has chosen none.
local function chosen_in(reports)
  local last = reports[#reports]
  local text = last and last.judged_by
  if type(text) ~= "string" then return nil end
  local mode, name = text:match "^(m[ai][xn]) (.+)$"
  return name, mode
end

-- figures.best(reports, name) -> the same of the best value, with its mode; of equal ones, the first.
function figures.best(reports, name)
  local best
  local chosen, chosen_mode = chosen_in(reports)
  local mode = chosen == name and chosen_mode or figures.mode(name)
  local epochs, values = figures.series(reports, name)
  for i, value in ipairs(values) do
    if not best or figures.is_better(value, best.value, mode) then
      best = { figure = name, epoch = epochs[i], value = value, mode = mode }
    end
  end
  return best
end

-- The names in the set `there`: those of the list `first` in its order, then the others, sorted.
local function ordered(there, first)
  local list = {}
  for _, name in ipairs(first) do
    if there[name] then list[#list + 1] = name end
    there[name] = nil
  end
  local rest = arguments.names(there)
  return table.move(rest, 1, #rest, #list + 1, list)
end

-- figures.sets(reports) -> the sets of images that occur, sorted: validation, test, training, then others.
function figures.sets(reports)
  local there = {}
  for _, report in ipairs(reports) do
    for set, value in pairs(report) do
      if type(value) == "table" then there[set] = true end
    end
  end
  return ordered(there, judges)
end

local usual = { "top1", "loss", "top5" }

-- figures.fields(reports) -> the fields that sets of images have in them: error and loss, then those of one's own,
-- sorted.
function figures.fields(reports)
  local there = {}
  for _, report in ipairs(reports) do
    for _, values in pairs(report) do
      for field, value in pairs(type(values) == "table" and values or {}) do
        if type(field) == "string" and math.type(value) then there[field] = true end
      end
    end
  end
  there.count, there.lr = nil, nil  -- how many images, and how fast it learned: no figures of the network
  return ordered(there, usual)
end

-- figures.judging(reports) -> the name of the figure by which the run is judged: the one that the program has chosen;
-- else top1 of the images that were evaluated after each epoch, the loss where there is none; nil without reports.
function figures.judging(reports)
  local chosen = chosen_in(reports)
  if chosen and figures.last(reports, chosen) then return chosen end
  for _, set in ipairs(judges) do
    for _, field in ipairs(judged_by) do
      local name = set .. "." .. field
      if figures.last(reports, name) then return name end
    end
  end
end

return figures
