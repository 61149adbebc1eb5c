-- test_group_steps.lua: steps of an engine with a group. What several processes do together is tested elsewhere.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local core = require "icl.core"

check("a group of one process changes nothing", function()
  check.equal(core.group(), nil)
  check.equal(core.step_flags(), 0)
  core.set_group(core.group_open { rank = 0, size = 1, address = "127.0.0.1:1" })
  check.equal(core.group():size(), 1)
  local w = core.state({ 1, 2 }, { trainable = true, dtype = "f32" })
  local value = icl.step(function()
    (w * w):sum():backward()
    core.step_flag(6)
    return w.grad:all_reduce()
  end)
  check.equal(value:at(1):item(), 2)
  check.equal(value:at(2):item(), 4)
  check.equal(core.step_flags(), 6)
  core.set_group(nil)
  check.equal(core.group(), nil)
end)

check("what cannot be says so", function()
  check.raises(function() core.step_flag(1) end, "outside of one")
  check.raises(function() core.step_flag(-1) end, "from 0 to 2%^32")
  check.raises(function() core.set_group(1) end, "group")
  check.raises(function() icl.step(function() core.set_group(nil) end) end, "inside a step")
end)

check.close()
