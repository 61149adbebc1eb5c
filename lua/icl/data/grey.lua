-- data/grey.lua: grey(images, u8 (n, h, w, 3)) -> u8 (n, h, w, 1), as Pillow's convert("L"): the bytes of
-- (19595 red + 38470 green + 7471 blue + 32768) / 65536, all of which f32 holds.
local core = require "icl.core"

local weights

return function(images)
  weights = weights or core.new_tensor({ 19595, 38470, 7471 }, "f32")
  return (((images:cast "f32" * weights):sum(-1, true) + 32768) / 65536):floor():cast "u8"
end
