-- nn/input.lua: check_input(layer, x [, form, rank, channels]): an error that names the layer unless x, which it is
-- called with, is a tensor, of this rank and with so many channels in its last axis where they are given; `form` says
-- so in words: "(n, h, w, c)".
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local scope = require "icl.internal.scope"

-- Where the layer is, for messages.
local function place()
  local path = scope.path()
  return path ~= "" and (" (in layer %s)"):format(path) or ""
end

return function(layer, x, form, rank, channels)
  if type(x) ~= "userdata" then
    fail("%s: its input is %s; it must be a tensor%s", layer.class_name, arguments.described(x), place())
  end
  local own = form and x:rank()
  if form and (own ~= (rank or own) or own == 0 or x:size(-1) ~= (channels or x:size(-1))) then
    fail("%s: its input is (%s); it must be %s%s", layer.class_name, table.concat(x:shape(), ", "), form, place())
  end
end
