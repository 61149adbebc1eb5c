-- run_folders.lua: folders such as runs leave, for the tests of what reads them.
--
--   icl tests/lua/run_folders.lua DIR [RUNS EPOCHS]: in DIR so many runs of so many epochs, half of them with other
--   settings, whose curves look like those of a residual network.
local core = require "icl.core"
local json = require "icl.json"

local folders = {}

-- Those of a build without locks are held by no one.
core.file_locked = core.file_locked or function() return false end

function folders.write(path, text)
  os.remove(path)
  assert(core.prompt.append(path, text))
end

local function literal(value)
  if type(value) ~= "table" then return ("%q"):format(value) end
  local items = {}
  for key, item in pairs(value) do items[#items + 1] = ("[%q] = %s"):format(key, literal(item)) end
  table.sort(items)
  return "{ " .. table.concat(items, ", ") .. " }"
end

-- folders.make(path, facts): facts = { options =, recipe =, preset =, lines = list of tables or texts, files = { name =
-- text } }.
function folders.make(path, facts)
  local lines = {}
  for i, line in ipairs(facts.lines or {}) do lines[i] = type(line) == "table" and json.encode(line) or line end
  folders.write(path .. "/metrics.jsonl", table.concat(lines, "\n") .. (#lines > 0 and "\n" or ""))
  folders.write(path .. "/options.lua", 'require "icl".rerun ' .. literal {
    recipe = facts.recipe or "recipes/wrn.lua", preset = facts.preset, arguments = {}, options = facts.options or {},
  } .. "\n")
  folders.write(path .. "/log.txt", "")
  for name, text in pairs(facts.files or {}) do folders.write(path .. "/" .. name, text) end
end

-- folders.report(epoch, epochs, top1 [, more]) -> a report with test figures, for make.
function folders.report(epoch, epochs, top1, more)
  local report = {
    epoch = epoch, epochs = epochs, step = 390 * epoch, steps_per_epoch = 390, seconds = 30.0 * epoch,
    time = 1764170000.5 + 30 * epoch, lr = 0.1, images_per_second = 1234.5, train = { loss = 2 - top1, top1 = top1 },
    test = { loss = 2.1 - top1, top1 = top1, top5 = (1 + top1) / 2 },
  }
  for key, value in pairs(more or {}) do report[key] = value end
  return report
end

-- folders.finished(path, options, shares): a finished run whose test images were right by these shares.
function folders.finished(path, options, shares, facts)
  local lines = {}
  for epoch, share in ipairs(shares) do lines[epoch] = folders.report(epoch, #shares, share) end
  local last = lines[#lines]
  lines[#lines + 1] = { state = "finished", epoch = #shares, time = last.time, seconds = last.seconds }
  facts = facts or {}
  facts.options, facts.lines = options, lines
  folders.make(path, facts)
end

-- ---- runs that look like real ones ----

-- Uniform numbers from 0 to 1, the same at every call of the test.
local function generator(seed)
  local state = seed * 7919 + 17
  return function()
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) / 2.0 ^ 31
  end
end

local function curve_line(epoch, epochs, draw, best)
  local t = epoch / epochs
  local lr = 0.1 * (1 + math.cos(math.pi * t)) / 2
  local noise = (draw() - 0.5) * (0.002 + 0.5 * lr)
  local err = best + 0.55 * math.exp(-14 * t) + 0.6 * lr + noise * 0.5
  local train = math.max(0.0005, 0.5 * math.exp(-10 * t) + 0.8 * lr * (1 - t) + noise * 0.2 + 0.001)
  local top1 = 1 - math.min(err, 0.9)
  return folders.report(epoch, epochs, top1, {
    lr = lr, images_per_second = 5200 + 300 * draw() - (draw() < 0.01 and 2500 or 0),
    train = { loss = 2.6 * train, top1 = 1 - math.min(train, 0.9) },
    test = { loss = 3 * err + 0.03, top1 = top1, top5 = 1 - (1 - top1) / 9 },
  })
end

function folders.realistic(root, count, epochs)
  for i = 1, count do
    local second = i > count // 2
    local draw, lines = generator(i), {}
    for epoch = 1, epochs do
      lines[epoch] = curve_line(epoch, epochs, draw, (second and 0.034 or 0.041) + 0.001 * (i % 4))
    end
    lines[#lines + 1] = { state = "finished", epoch = epochs, step = 390 * epochs, seconds = 30.0 * epochs,
                          time = lines[#lines].time }
    folders.make(("%s/shake_shake%s/%03d"):format(root, second and "-cutout" or "", second and i - count // 2 or i), {
      recipe = "recipes/shake_shake.lua", preset = second and "cutout" or nil, lines = lines,
      options = { dataset = "cifar10", epochs = epochs, base_lr = 0.1, cutout = second, seed = i, batch_size = 128,
                  schedule = "cosine", weight_decay = 1e-4 },
      files = { ["env.txt"] = "icl 0.9\nthreads 16\n" },
    })
  end
end

if arg and arg[0]:match "run_folders%.lua$" then
  folders.realistic(arg[1], tonumber(arg[2] or 10), tonumber(arg[3] or 1800))
end

return folders
