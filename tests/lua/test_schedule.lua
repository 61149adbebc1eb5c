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
  local s = schedule { type = "multistep", base_lr = 1, epochs = 5, milestones = { 2, 8 } }
  check.near(s(2), 1, 1e-15)
  for _, step in ipairs { 3, 5, 9 } do check.near(s(step), 0.1, 1e-15) end
  check.near(schedule({ type = "multistep", base_lr = 1, epochs = 5 })(5), 1, 1e-15)
end)

check("milestones count from the end of the warm-up", function()
  local s = schedule { type = "multistep", base_lr = 1, epochs = 10, milestones = { 3 },
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
  local s = schedule { type = "linear", base_lr = 2, epochs = 4, lr_min_factor = 0 }
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
  local options = { type = "constant", base_lr = 0.5, epochs = 4,
                    warmup = { type = "exponential", epochs = 2, start_factor = 0 } }
  check.near(schedule(options)(1), 0.5 / 16, 1e-15)
  check.near(schedule(options)(2), 0.5, 1e-15)
  options.as_published = true
  check.near(schedule(options)(2), 0.25, 1e-15)
end)

check("a warm-up of type none has no length, unless as published", function()
  local options = { type = "cosine", base_lr = 1, epochs = 6, lr_min_factor = 0,
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
  check.raises(function() schedule { type = "multistep", milestones = { -1 } } end, "must ascend from 0 on; %-1 ")
  check.raises(function() schedule { epochs = 2, warmup = { type = "linear", epochs = 3 } } end, "warmup_epochs 3 do not fit into epochs 2")
  check.raises(function() schedule { base_lr = 0 / 0 } end, "base_lr")
  check.raises(function() schedule { steps_per_epoch = 1.5 } end, "steps_per_epoch")
end)

check.close()
