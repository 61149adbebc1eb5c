-- internal/check_logits.lua: check_logits(what, logits) -> what a model returned for images; an error unless it is a
-- tensor.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

return function(what, logits)
  if type(logits) == "userdata" then return logits end
  fail("%s: the model returned %s for images; icl.fit and icl.evaluate take a model that returns its logits, "
    .. "one tensor. What else a loss needs forward may keep in a field, self.features = x", what,
    arguments.described(logits))
end
