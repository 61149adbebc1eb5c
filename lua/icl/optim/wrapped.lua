-- optim/wrapped.lua: what optimizers around another one, their field `base`, share.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local settings = require "icl.optim.settings"

local wrapped = {}

-- wrapped.new(what, class, base) -> an object of the class around the optimizer `base`, an error if that is none.
function wrapped.new(what, class, base)
  if type(base) ~= "table" or not (base.step and base.groups and base.named_states) then
    fail("%s: it wraps an optimizer, icl.optim.sgd(model) for instance, not %s", what, arguments.described(base))
  end
  return setmetatable({ name = what, base = base, groups = base.groups }, class)
end

-- optimizer:settings() -> the options that were changed, of this one and of the one inside; optimizer:settings(changed)
-- changes them again.
function wrapped:settings(again)
  for name, value in pairs(again and again.options or {}) do self.options[name] = value end
  return { options = settings.changed(self.options), base = self.base:settings(again and again.base) }
end

-- optimizer:arrange_states(list of { name =, tensor = }) -> as that of the optimizer inside.
function wrapped:arrange_states(tensors)
  return self.base.arrange_states and self.base:arrange_states(tensors)
end

return wrapped
