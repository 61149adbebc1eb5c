-- schedules.lua: learning rates at every step, against DIR/schedules/schedules.json; exact to 1e-12.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"

local function check(case)
  local options = { as_published = true }
  for key, value in pairs(case.scheduler) do options[key] = value end
  for _, key in ipairs { "epochs", "steps_per_epoch", "base_lr" } do options[key] = case[key] end
  local schedule = icl.schedule(options)
  for k, lr in ipairs(case.lr) do
    common.bound(("rate of update %d"):format(k), math.abs(schedule(k - 1) - lr), 1e-12)
  end
  common.bound("rate after the last update", math.abs(schedule(#case.lr) - case.lr_after_last_step), 1e-12)
end

for _, case in ipairs(common.json(common.folder() .. "/schedules/schedules.json")) do
  common.case(case.id, function()
    for _, name in ipairs(icl.schedule.types) do
      if name == case.scheduler.type then return check(case) end
    end
    return "there is no schedule " .. case.scheduler.type
  end)
end
common.close()
