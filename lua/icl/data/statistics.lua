-- data/statistics.lua: mean and standard deviation of each channel of the images of a set, for bytes divided by 255.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local grey = require "icl.data.grey"
local json = require "icl.json"

local statistics = {}

local BATCH = 64  -- images of a folder that are decoded together

-- Adds the sums of images, u8 (n, h, w, c), to those of others.
local function add(sums, images)
  local one = core.image_sums(images)
  sums.pixels = (sums.pixels or 0) + one.pixels
  for _, key in ipairs { "sum", "squares" } do
    sums[key] = sums[key] or {}
    for c, value in ipairs(one[key]) do sums[key][c] = (sums[key][c] or 0) + value end
  end
end

-- The sums are exact: integers.
local function measure(set, resize)
  local sums = {}
  if not set.folder then
    add(sums, set.images)
    return sums
  end
  local options = { size = set.shape[1], resize = resize, batch = BATCH, threads = set.workers }
  local stream <close> = core.image_stream(set.folder, core.arange(set.count), options)
  for _ = 1, -(-set.count // BATCH) do
    local images = stream:next()
    add(sums, set.grey and grey(images) or images)
  end
  return sums
end

-- The file that keeps the statistics of a folder; nil where there is no place for it. It is called after the path, the
-- form of the images, and the names, sizes and times of all files.
local function place_of(set, resize)
  local cache = core.cache_home()
  local form = ("%d %d%s"):format(set.shape[1], resize, set.grey and " grey" or "")
  return cache and ("%s/statistics/%s.json"):format(cache, core.image_folder_fingerprint(set.folder, form))
end

local function is_list(list, channels)
  if type(list) ~= "table" or #list ~= channels then return false end
  for _, value in ipairs(list) do
    if type(value) ~= "number" then return false end
  end
  return true
end

-- What a file keeps, if it is whole.
local function read(path, channels)
  local file <close> = io.open(path)
  local ok, kept = pcall(core.json_decode, file and file:read "a" or "")
  if not ok or type(kept) ~= "table" then return nil end
  return is_list(kept.mean, channels) and is_list(kept.std, channels) and kept or nil
end

-- statistics.of(set [, resize, on_begin]) -> mean, std: lists with a number for each channel. Images of a folder are
-- seen as evaluation sees them: the shorter side brought to `resize`, the middle cut out; what was found is kept for
-- the next time, and on_begin is called where it has to be computed.
function statistics.of(set, resize, on_begin)
  if set.count == 0 then fail "icl.data: a set without images has no mean" end
  local path = set.folder and place_of(set, resize)
  local kept = path and read(path, set.shape[3])
  if kept then return kept.mean, kept.std end
  if on_begin then on_begin() end
  local sums, mean, std = measure(set, resize), {}, {}
  for c, sum in ipairs(sums.sum) do
    local first, second = sum / sums.pixels, sums.squares[c] / sums.pixels
    mean[c], std[c] = first / 255, math.sqrt(math.max(0, second - first * first)) / 255
  end
  if path and core.make_folder(path:match "^(.*)/") then
    core.file_write(path, json.encode { mean = mean, std = std, count = set.count } .. "\n")
  end
  return mean, std
end

return statistics
