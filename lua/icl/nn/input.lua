-- nn/input.lua: check_input(layer, x): an error that names the layer unless x, which it is called with, is a tensor.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local scope = require "icl.internal.scope"

return function(layer, x)
  if type(x) == "userdata" then return end
  local path = scope.path()
  fail("%s: its input is %s; it must be a tensor%s", layer.class_name, arguments.described(x),
    path ~= "" and (" (in layer %s)"):format(path) or "")
end
