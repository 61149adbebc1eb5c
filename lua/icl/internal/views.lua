-- internal/views.lua: the views of images whose logits are averaged in an evaluation, by the names that --tta takes.
local numbers = require "icl.internal.numbers"

local views = { of = {} }

-- What --tta takes; none: the images alone.
views.choices = { "none", "flip", "five_crop", "ten_crop" }

-- What these are, for --help.
views.help = "what is evaluated: the mean of the logits of each image and of its mirror image; of its corners and its "
  .. "middle, 7 / 8 of a side each; of these and their mirror images"

-- views.of[name](images) -> list of views.
function views.of.flip(image)
  return { image, image:flip(3) }
end

-- Those of them that are smaller than the images.
views.crops = { five_crop = true, ten_crop = true }

-- views.crop(height, width) -> those of the crops of such images: 7 / 8, as 224 pixels of 256 are.
function views.crop(height, width)
  return math.max(1, height * 7 // 8), math.max(1, width * 7 // 8)
end

-- The four corners and the middle.
function views.of.five_crop(image)
  local height, width = image:size(2), image:size(3)
  local h, w = views.crop(height, width)
  local list = {}
  local function add(top, left) list[#list + 1] = image:narrow(2, top + 1, h):narrow(3, left + 1, w) end
  add(0, 0)
  add(0, width - w)
  add(height - h, 0)
  add(height - h, width - w)
  add(numbers.round((height - h) / 2), numbers.round((width - w) / 2))
  return list
end

-- These and their mirror images.
function views.of.ten_crop(image)
  local list = views.of.five_crop(image)
  for i = 1, 5 do list[5 + i] = list[i]:flip(3) end
  return list
end

return views
