-- fit/parts.lua: the parts of batches that a training computes at a time, and whether batch norm can work on them.
local fail = require "icl.internal.fail"

local parts = {}

-- Images of the smallest part of a batch of `size` images; see Batch:chunks.
local function smallest_part(size, subdivision)
  local length = -(-size // subdivision)
  local rest = size % length
  return rest > 0 and rest or length
end

-- parts.smallest(count, options) -> images of the smallest part in an epoch over `count` images.
function parts.smallest(count, o)
  local least, last = math.huge, count % o.batch_size
  if count >= o.batch_size then least = smallest_part(o.batch_size, o.subdivision) end
  if last > 0 and not o.drop_last then least = math.min(least, smallest_part(last, o.subdivision)) end
  return least
end

-- The path of a batch norm that gets one value for each channel of an image, or nil. layers: of summary.list.
local function single_valued(layers)
  for _, layer in ipairs(layers) do
    local pixels = 1
    for i = 1, layer.shape and #layer.shape - 1 or 0 do pixels = pixels * layer.shape[i] end
    if layer.class == "batch_norm" and layer.shape and pixels == 1 then return layer.path end
  end
end

-- parts.check(layers, count, options): an error where there are more parts than images, or batch norm would have to
-- normalise a single value.
function parts.check(layers, count, o)
  if o.subdivision > o.batch_size then
    fail("icl.fit: {subdivision} %d is more than the images of a batch, {batch_size} %d", o.subdivision, o.batch_size)
  end
  if not layers or parts.smallest(count, o) > 1 then return end
  local path = single_valued(layers)
  if path then
    fail("icl.fit: batch norm %s would see one value of each channel, since a part of a batch is one image: %d images, "
      .. "{batch_size} %d, {subdivision} %d, {drop_last} %s; other numbers leave parts of two images or more", path,
      count, o.batch_size, o.subdivision, o.drop_last and "on" or "off")
  end
end

return parts
