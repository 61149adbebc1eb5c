-- test_progress.lua: what a run shows while it works, and how long it thinks it will take.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local core = require "icl.core"
local new_pace = require "icl.sinks.pace"

-- What the bar needs of a run.
local function stand_in(fields)
  local run = { epoch = 1, last_epoch = 2, step = 0, last = {}, average = {} }
  for name, value in pairs(fields or {}) do run[name] = value end
  return run
end

-- Replaces fields of a table until the end of the block.
local function with(where, fields)
  local old = {}
  for name, value in pairs(fields) do old[name], where[name] = where[name], value end
  return setmetatable({}, { __close = function()
    for name in pairs(fields) do where[name] = old[name] end
  end })
end

-- Passes of loops under a clock of our own: each takes `seconds`.
local clock = 0

local function pass_through(run, loader, seconds, each, passes)
  local loop = { loader = loader, started = clock, number = 0 }
  for number = 1, passes or loader.batches do
    clock, loop.number = clock + (type(seconds) == "function" and seconds(number) or seconds), number
    each(run, loop)
  end
end

check("time left, from the steps behind the warm-up, with the evaluation between two epochs", function()
  local stopped <close> = with(core, { clock = function() return clock end })
  local pace, run = new_pace(), stand_in { last_epoch = 3 }
  local training, evaluation = { training = true, batches = 10 }, { batches = 4 }
  local function turn(_, loop) pace:turn(loop) end
  pass_through(run, evaluation, 1, turn, 1)
  check.equal(pace:run_left(run, pace.loop), nil)
  pass_through(run, training, function(number) return number <= 3 and 100 or 2 end, turn, 5)
  check.near(pace.a_step, 2, 1e-9)
  check.near(pace:loop_left(pace.loop), 10, 1e-9)
  check.near(pace:run_left(run, pace.loop), 10 + 2 * 20, 1e-9)
  check.equal(pace:is_known(), true)
  pass_through(run, evaluation, 1.5, turn, 2)
  check.near(pace:run_left(run, pace.loop), 3 + 2 * 20, 1e-9)
  run.epoch = 2
  pass_through(run, training, 2, turn, 1)
  check.near(pace:run_left(run, pace.loop), 18 + 20 + 2 * 3, 1e-9)
end)

-- What a sink shows during f(sink); terminal: its width, or nil where there is none.
local function shown(given, terminal, f)
  local file = io.tmpfile()
  local replaced <close> = with(core, { clock = function() return clock end,
                                        isatty = function() return terminal ~= nil end,
                                        terminal_width = function() return terminal end })
  local output <close> = with(io, { stdout = file })
  f(icl.sinks.progress(given))
  file:seek "set"
  return file:read "a"
end

local imagenet = { training = true, batches = 5004, batch_size = 256 }

local function train(sink)
  local run = stand_in { epoch = 3, last_epoch = 90, last = { loss = 2 }, average = { loss = 2.5 } }
  pass_through(run, imagenet, 0.5, function(...) sink:turn(...) end, 300)
end

check("without a terminal: an estimate, and lines every so many steps", function()
  local text = shown({ log_period = 100 }, nil, train)
  check.equal(text, "This will take about 61 h 09 min: 88 epochs of 5004 steps.\n"
    .. "Epoch 3 Step 100/5004 loss 2.0000 (2.5000) 512 images/s, 61 h 08 min left\n"
    .. "Epoch 3 Step 200/5004 loss 2.0000 (2.5000) 512 images/s, 61 h 07 min left\n"
    .. "Epoch 3 Step 300/5004 loss 2.0000 (2.5000) 512 images/s, 61 h 07 min left\n")
  check.equal(shown({ log_period = 0 }, nil, train),
    "This will take about 61 h 09 min: 88 epochs of 5004 steps.\n")
end)

check("a quiet one shows nothing; a log gets the lines all the same", function()
  local lines = {}
  local log = { line = function(_, text) lines[#lines + 1] = text end }
  check.equal(shown({ quiet = true, log = log }, nil, train), "")
  check.equal(#lines, 4)
  shown({ log = log }, 100, train)
  check.equal(#lines, 8)
  check.equal(shown({ quiet = true }, 100, train), "")
end)

check("a bar as wide as the terminal allows", function()
  local last = "Epoch 3/90 [#.......................] 300/5004 loss 2.5000 512 images/s 39 min 12 s left"
    .. " (run 61 h 07 min)"
  for width = 1, 120 do
    local text = shown(nil, width, train)
    local bar = text:match "\r([^\r]*)\27%[K$"
    check.equal(#bar <= width - 1, true)
    if width > #last then check.equal(bar, last) end
    check.equal(text:find("Step", 1, true), nil)
  end
  check.equal(shown(nil, 45, train):match "\r([^\r]*)\27%[K$", "Epoch 3/90 300/5004 39 min 12 s left")
end)

check("a line takes the place of the bar", function()
  check.equal(shown(nil, 80, function(sink) sink:line "text" end), "\r\27[Ktext\n")
  check.equal(shown(nil, nil, function(sink) sink:line "text" end), "text\n")
end)

check("loops of evaluation have the title of their loader", function()
  local function evaluate(title)
    return shown(nil, 100, function(sink)
      local loader = { batches = 2, batch_size = 8, title = title }
      pass_through(stand_in(), loader, 1, function(...) sink:turn(...) end)
    end)
  end
  check.equal(evaluate("Val"):find("\rVal 1/2 [############............] 1/2 8 images/s 1 s left\27[K", 1, true), 1)
  check.equal(evaluate():find("\rEvaluation 1/2", 1, true), 1)
end)

check.close()
