-- fit/parts.lua: the parts of batches that a training computes at a time, and whether batch norm can work on them.
local fail = require "icl.internal.fail"
local spread = require "icl.internal.spread"

local parts = {}

-- The images of the parts of a batch of `size` images; see Batch:chunks.
local function parts_of(size, o)
  return (o.as_published and spread.published or spread.parts)(size, o.subdivision)
end

-- Calls visit(images of a process) for each process and each size that batches of an epoch have.
local function each_share(count, o, visit)
  local sizes, last = {}, count % o.batch_size
  if count >= o.batch_size then sizes[1] = o.batch_size end
  if last > 0 and not o.drop_last then sizes[#sizes + 1] = last end
  for _, size in ipairs(sizes) do
    for rank = 0, (o.ranks or 1) - 1 do visit(select(2, spread.share(size, o.ranks or 1, rank)), size) end
  end
end

-- parts.smallest(count, o) -> images of the smallest part in an epoch over `count` images. o: batch_size, of all
-- processes; ranks = 1, how many these are; subdivision, drop_last, as_published.
function parts.smallest(count, o)
  local least = math.huge
  each_share(count, o, function(images) least = math.min(least, table.unpack(parts_of(images, o))) end)
  return least
end

-- An error unless all processes compute as many parts of each batch, as they must to have statistics together.
local function check_parts(count, o)
  local found = {}
  each_share(count, o, function(images, size)
    local own = #parts_of(images, o)
    if own ~= (found[size] or own) then
      fail("icl.fit: {sync_bn}: of a batch of %d images some of %d processes would have %d parts and others %d with "
        .. "{subdivision} %d; {drop_last}, or another {batch_size}, leaves parts for all", size, o.ranks,
        found[size], own, o.subdivision)
    end
    found[size] = own
  end)
end

-- The path of a batch norm that gets one value for each channel of an image, or nil. layers: of summary.list.
local function single_valued(layers)
  for _, layer in ipairs(layers) do
    local pixels = 1
    for i = 1, layer.shape and #layer.shape - 1 or 0 do pixels = pixels * layer.shape[i] end
    if layer.class == "batch_norm" and layer.shape and pixels == 1 then return layer.path end
  end
end

-- parts.check(layers, loader, options): an error where there are more parts than images, or batch norm would have to
-- normalise a single value.
function parts.check(layers, loader, o)
  local count, images = loader.set.count, loader.batch_size
  local ranks, size = loader.ranks or 1, loader.global_batch_size or images
  if o.subdivision > images then
    fail("icl.fit: {subdivision} %d is more than the images of a batch, {batch_size} %d", o.subdivision, images)
  end
  local how = { batch_size = size, ranks = ranks, subdivision = o.subdivision, drop_last = loader.drop_last,
                as_published = o.as_published }
  if o.sync_bn and ranks > 1 then return check_parts(count, how) end
  if not layers or parts.smallest(count, how) > 1 then return end
  local path = single_valued(layers)
  if path then
    fail("icl.fit: batch norm %s would see one value of each channel, since a part of a batch is one image: %d images, "
      .. "{batch_size} %d, {subdivision} %d, {drop_last} %s; other numbers leave parts of two images or more", path,
      count, images, o.subdivision, loader.drop_last and "on" or "off")
  end
end

return parts
