-- test_schedule.lua: learning-rate schedules; the exact numbers are in tests/golden/schedules.lua.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local schedule = icl.schedule

check("a boundary belongs to the earlier segment", function()
  local s = schedule { type = "multistep", base_lr = 1, epochs = 10, steps_per_epoch = 4, milestones = { 3, 6 } }
  check.near(s(12), 1, 1e-15)
  check.near(s(13), 0.1, 1e-15)
  check.near(s(24), 0.1, 1e-15)
  check.near(s(25), 0.01, 1e-15)
end)

check("a milestone behind the end never comes", function()
  local s = schedule { type = "multistep", base_lr = 1, epochs = 5, steps_per_epoch = 1, milestones = { 2, 8 } }
  check.near(s(2), 1, 1e-15)
  for _, step in ipairs { 3, 5, 9 } do check.near(s(step), 0.1, 1e-15) end
  check.near(schedule({ type = "multistep", base_lr = 1, epochs = 5, steps_per_epoch = 1 })(5), 1, 1e-15)
end)

check("milestones count from the end of the warm-up", function()
  local s = schedule { type = "multistep", base_lr = 1, epochs = 10, steps_per_epoch = 1, milestones = { 3 },
                       warmup = { type = "linear", epochs = 2 } }
  check.near(s(5), 1, 1e-15)
  check.near(s(6), 0.1, 1e-15)
end)

check("cosine ends at its minimum and stays there", function()
  local s = schedule { type = "cosine", base_lr = 0.2, epochs = 5, steps_per_epoch = 10, lr_min_factor = 0.01 }
  check.near(s(0), 0.2, 1e-15)
  check.near(s(25), 0.101, 1e-15)
  check.near(s(50), 0.002, 1e-15)
  check.near(s(80), 0.002, 1e-15)
end)

check("linear falls in a straight line", function()
  local s = schedule { type = "linear", base_lr = 2, epochs = 4, steps_per_epoch = 1, lr_min_factor = 0 }
  check.near(s(1), 1.5, 1e-15)
  check.near(s(4), 0, 1e-15)
end)

check("sgdr restarts", function()
  local s = schedule { type = "sgdr", base_lr = 1, epochs = 7, T0 = 1, T_mul = 2, steps_per_epoch = 10,
                       lr_min_factor = 0 }
  check.near(s(10), 0, 1e-15)
  check.near(s(20), 0.5, 1e-15)
  check.near(s(30), 0, 1e-15)
  check.near(s(50), 0.5, 1e-15)
end)

check("the exponential warm-up ends at base_lr, or at its square as published", function()
  local options = { type = "constant", base_lr = 0.5, epochs = 4, steps_per_epoch = 1,
                    warmup = { type = "exponential", epochs = 2, start_factor = 0 } }
  check.near(schedule(options)(1), 0.5 / 16, 1e-15)
  check.near(schedule(options)(2), 0.5, 1e-15)
  options.as_published = true
  check.near(schedule(options)(2), 0.25, 1e-15)
end)

check("a warm-up of type none has no length, unless as published", function()
  local options = { type = "cosine", base_lr = 1, epochs = 6, steps_per_epoch = 1, lr_min_factor = 0,
                    warmup = { type = "none", epochs = 2 } }
  check.near(schedule(options)(3), 0.5, 1e-15)
  options.as_published = true
  check.near(schedule(options)(2), 0.5, 1e-15)
  check.near(schedule(options)(6), 0.5, 1e-15)
end)

check("wrong options are named", function()
  check.raises(function() schedule { typ = "cosine" } end, "no option 'typ' %(did you mean type%?%)")
  check.raises(function() schedule { type = "cosin" } end, "did you mean cosine")
  check.raises(function() schedule { warmup = { kind = 1 } } end, "no option 'kind'")
  check.raises(function() schedule { type = "sgdr", epochs = 25 } end, "add up to 30 epochs, not 25")
  check.raises(function() schedule { type = "multistep", milestones = { 5, 3 } } end, "must ascend from 0 on; 3 ")
  check.raises(function() schedule { type = "multistep", milestones = { -1 } } end, "milestone 1 is %-1; .*at least 0")
  check.raises(function() schedule { epochs = 2, warmup = { type = "linear", epochs = 3 } } end,
    "schedule: warmup.epochs 3 do not fit into epochs 2")
  check.raises(function()
    schedule.from_options { schedule = "constant", epochs = 2, warmup = "linear", warmup_epochs = 3 }
  end, "schedule: warmup_epochs 3 do not fit into epochs 2")
  for name, value in pairs { start_factor = -2, exponent = -1, epochs = -1 } do
    check.raises(function() schedule { warmup = { type = "linear", [name] = value } } end,
      "schedule: warmup." .. name .. " is %-%d; it must be a number of at least 0")
  end
  for _, warmup in ipairs { { epochs = 1 }, { start_factor = 0 } } do
    check.raises(function() schedule { warmup = warmup, steps_per_epoch = 5 } end,
      'icl.schedule: warmup: the type is missing: type = "linear" or "exponential"')
  end
  check.raises(function() schedule {}.warmup = { epochs = 1 } end, "schedule: warmup: the type is missing")
  check.raises(function() schedule { base_lr = 0 / 0 } end, "base_lr")
  check.raises(function() schedule { steps_per_epoch = 1.5 } end, "steps_per_epoch")
end)

-- PyTorch's formulas, as its sources have them.

-- OneCycleLR.get_lr, for a rate of 1.
local function one_cycle(step, total, o)
  local initial = 1 / o.div_factor
  local phases = { { o.pct_start * total - 1, initial, 1 }, { total - 1, 1, initial / o.final_div_factor } }
  if o.three_phase then
    phases[2] = { 2 * o.pct_start * total - 2, 1, initial }
    phases[3] = { total - 1, initial, initial / o.final_div_factor }
  end
  local start = 0
  for i, phase in ipairs(phases) do
    if step <= phase[1] or i == #phases then
      local pct, first, last = (step - start) / (phase[1] - start), phase[2], phase[3]
      if o.anneal == "linear" then return first + (last - first) * pct end
      return last + (first - last) / 2 * (1 + math.cos(math.pi * pct))
    end
    start = phase[1]
  end
end

check("one_cycle", function()
  for _, own in ipairs { {}, { anneal = "linear" }, { three_phase = true }, { pct_start = 0.25, div_factor = 10 },
                         { three_phase = true, anneal = "linear", pct_start = 0.4, final_div_factor = 50 },
                         { pct_start = 0 }, { pct_start = 0.01 },
                         { three_phase = true, pct_start = 0 }, { three_phase = true, pct_start = 0.02 },
                         { three_phase = true, pct_start = 0.03 }, { three_phase = true, pct_start = 0.5 } } do
    local o = { pct_start = 0.3, div_factor = 25, final_div_factor = 1e4, anneal = "cos" }
    local given = { type = "one_cycle", base_lr = 2, epochs = 6, steps_per_epoch = 7 }
    for name, value in pairs(own) do o[name], given[name] = value, value end
    local s = schedule(given)
    for step = 0, 41 do check.near(s(step), 2 * one_cycle(step, 42, o), 1e-12) end
    check.near(s(60), s(41), 1e-15)
  end
end)

check("polynomial and exponential", function()
  local s = schedule { type = "polynomial", base_lr = 2, epochs = 4, steps_per_epoch = 5, power = 0.9,
                       lr_min_factor = 0 }
  for step = 0, 20 do check.near(s(step), 2 * (1 - step / 20) ^ 0.9, 1e-15) end
  check.near(s(30), 0, 1e-15)
  s.lr_min_factor = 0.1
  check.near(s(10), 2 * (0.1 + 0.9 * 0.5 ^ 0.9), 1e-15)
  s = schedule { type = "exponential", base_lr = 2, epochs = 4, steps_per_epoch = 5, lr_gamma = 0.5 }
  for step = 0, 20 do check.near(s(step), 2 * 0.5 ^ (step / 5), 1e-15) end
  check.near(s(30), 2 / 16, 1e-15)
  s = schedule { type = "exponential", base_lr = 2, epochs = 4, steps_per_epoch = 5, lr_gamma = 0.5,
                 warmup = { type = "linear", epochs = 1, start_factor = 0 } }
  check.near(s(10), 1, 1e-15)
end)

check("cosine_restarts counts updates", function()
  for _, growth in ipairs { 1, 2, 3 } do
    local s = schedule { type = "cosine_restarts", base_lr = 2, epochs = 10, steps_per_epoch = 10, restart_steps = 7,
                         T_mul = growth, lr_min_factor = 0.25 }
    local at, cycle = 0, 7
    for step = 0, 99 do
      check.near(s(step), 2 * (0.25 + 0.75 * (1 + math.cos(math.pi * at / cycle)) / 2), 1e-12)
      at = at + 1
      if at == cycle then at, cycle = 0, cycle * growth end
    end
  end
end)

-- ReduceLROnPlateau.step
local function reduce_on_plateau(o)
  local best, bad, cooldown, rate = o.mode == "max" and -math.huge or math.huge, 0, 0, 1
  return function(value)
    local better
    if o.mode == "max" then better = value > best * (1 + o.threshold) else better = value < best * (1 - o.threshold) end
    if better then best, bad = value, 0 else bad = bad + 1 end
    if cooldown > 0 then cooldown, bad = cooldown - 1, 0 end
    if bad > o.patience then
      rate, cooldown, bad = math.max(rate * 0.5, 0.1), o.cooldown, 0
    end
    return rate
  end
end

check("plateau", function()
  for _, o in ipairs { { mode = "min", patience = 2, threshold = 1e-4, cooldown = 0 },
                       { mode = "min", patience = 0, threshold = 0.1, cooldown = 2 },
                       { mode = "max", patience = 1, threshold = 0.05, cooldown = 1 } } do
    local s, expected = schedule { type = "plateau", base_lr = 3, epochs = 40, lr_decay = 0.5, lr_min_factor = 0.1,
                                   mode = o.mode, patience = o.patience, threshold = o.threshold,
                                   cooldown = o.cooldown }, reduce_on_plateau(o)
    local kept
    for epoch = 1, 40 do
      local value = 1 / (1 + epoch) + 0.3 * math.sin(epoch * epoch) ^ 2
      s:report(value)
      check.near(s(epoch), 3 * expected(value), 1e-15)
      if epoch == 15 then  -- as a checkpoint keeps it
        kept = icl.json.decode(icl.json.encode(s:settings()))
        local again = schedule { type = "plateau", base_lr = 3, epochs = 40, lr_decay = 0.5, lr_min_factor = 0.1,
                                 mode = o.mode, patience = o.patience, threshold = o.threshold, cooldown = o.cooldown }
        again:settings(kept)
        check.equal(again(16), s(16))
        s = again
      end
    end
    check.equal(s(40) < 3, true)
  end
  local s = schedule { type = "plateau", base_lr = 1, patience = 0 }
  s:report(0 / 0)
  check.near(s(1), 0.1, 1e-15)  -- NaN is no better than nothing
  s:report(icl.tensor { 0.5 })
  check.near(s(1), 0.1, 1e-15)
end)

check("a schedule draws itself", function()
  local text = tostring(schedule { type = "linear", base_lr = 1, epochs = 8, steps_per_epoch = 3, lr_min_factor = 0 })
  check.equal(text:match "^[^\n]*", "schedule linear, base_lr 1, 8 epochs")
  local columns = {}
  for line in text:gmatch "[^\n]+" do
    local curve = line:match "|(.*)"
    if curve then columns[#columns + 1] = curve:find "%*" end
  end
  check.equal(#columns > 5, true)
  for i = 2, #columns do check.equal(columns[i] > columns[i - 1], true) end
  check.equal(tostring(schedule { epochs = 0 }), "schedule constant, base_lr 0.1, 0 epochs")
end)

check("what depends on the update needs steps_per_epoch", function()
  for _, name in ipairs(schedule.types) do
    local given = { type = name, epochs = 160 }
    if name == "constant" or name == "plateau" then
      check.near(schedule(given)(3), 0.1, 1e-15)
      given.warmup = { type = "linear", epochs = 2 }
      check.raises(function() schedule(given) end, "schedule: a warm%-up needs steps_per_epoch, the updates of an")
    else
      check.raises(function() schedule(given) end, name .. " needs steps_per_epoch, the updates of an epoch")
    end
    local options = icl.options.training:defaults()
    options.schedule = name
    check.equal(schedule.from_options(options, 5)(0) > 0, true)
  end
end)

check("wrong options of the later types are named", function()
  local function of(name, options)
    options.type, options.steps_per_epoch = name, 10
    return function() schedule(options) end
  end
  check.raises(of("one_cycle", { warmup = { type = "linear", epochs = 1 } }),
    "schedule: type one_cycle rises by itself; leave out warmup")
  check.raises(of("one_cycle", { pct_start = 1.5 }), "schedule: pct_start is 1.5; it must be a number from 0 to 1")
  check.equal(schedule.problem { schedule = "one_cycle", epochs = 5, warmup = "none", warmup_epochs = 0,
                                 one_cycle_three_phase = true, one_cycle_pct_start = 0.75 },
    "{one_cycle_pct_start} is 0.75; it must be at most 0.5 with three phases")
  check.raises(of("one_cycle", { pct_start = 0.6, three_phase = true }),
    "schedule: pct_start is 0.6; it must be at most 0.5 with three phases")
  check.raises(of("one_cycle", { anneal = "cosine" }), "anneal is cosine; it must be one of cos, linear")
  check.raises(of("cosine_restarts", { T_mul = 0.5 }), "T_mul is 0.5; cycles of cosine_restarts must not shrink")
  check.raises(of("cosine_restarts", { restart_steps = 0 }), "restart_steps is 0")
  check.raises(of("plateau", { mode = "least" }), "mode is least; it must be one of min, max")
  check.raises(of("plateau", { patience = -1 }), "patience is %-1")
  check.raises(function() schedule.cosine(10) end, 'icl.schedule { type = "cosine" }')
  check.raises(function() schedule.problems() end, "icl.schedule: there is no 'problems' %(did you mean problem%?%)")
  check.raises(function() schedule { type = "constant" }:report(1) end, "report: constant asks for no figures")
  check.raises(function() schedule { type = "plateau" }:report() end, "report: the figure is nil")
end)

check("what is no number of updates or no milestone is named", function()
  local plain = schedule { type = "constant" }
  check.raises(function() plain(nil) end, "schedule: it takes the number of updates done so far, .*, not nil")
  check.raises(function() plain "1" end, "not '1'")
  check.raises(function() schedule { type = "multistep", milestones = { "a" }, steps_per_epoch = 1 } end,
    "milestone 1 is 'a'")
  check.raises(function() schedule { type = "multistep", milestones = 3, steps_per_epoch = 1 } end,
    "milestones: it takes a list of epochs")
end)

check.close()
