-- report/pictures.lua: test images of a run, where they are on this machine, as data: addresses.
local core = require "icl.core"
local datasets = require "icl.internal.datasets"
local image = require "icl.image"

local pictures = {}

local SIDE = 160  -- pixels of a picture of a folder

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local digits = {}
for i = 0, 63 do digits[i] = alphabet:sub(i + 1, i + 1) end

-- pictures.base64(bytes) -> their text.
function pictures.base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local word = a << 16 | (b or 0) << 8 | (c or 0)
    out[#out + 1] = digits[word >> 18] .. digits[word >> 12 & 63] .. (b and digits[word >> 6 & 63] or "=") ..
      (c and digits[word & 63] or "=")
  end
  return table.concat(out)
end

local function address_of(tensor)
  return "data:image/png;base64," .. pictures.base64(core.png_encode(tensor))
end

local function folder_set(options)
  local path = options.data .. "/val"
  local files, set = core.image_folder(path)
  return {
    labels = set.labels, class_names = set.class_names,
    picture = function(number)
      local file = files:file(number)
      return address_of(image.center(image.read(file), SIDE, SIDE)), file:sub(#path + 2)
    end,
  }
end

local function memory_set(options)
  local set = core.data_open(options.dataset, options.data ~= "" and options.data or nil, "test")
  local shape = set.images:shape()
  return {
    labels = set.labels, class_names = set.class_names, small = math.max(shape[2], shape[3]) <= 64,
    picture = function(number) return address_of(set.images:narrow(1, number + 1, 1):squeeze(1)) end,
  }
end

-- pictures.open(options) -> the test images that options of a run name: labels, class_names (or nil), small (are they
-- of few pixels?), picture(number from 0) -> address, name of the file or nil. nil and a message where they are not on
-- this machine.
function pictures.open(options)
  if type(options.dataset) ~= "string" then return nil, "options.lua names no data set" end
  local open = datasets.folders[options.dataset] and folder_set or memory_set
  local ok, result = pcall(open, options)
  if ok then return result end
  return nil, tostring(result)
end

return pictures
