-- network/find.lua: the file of weights that a word of a command line stands for: a file, or the folder of a run.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local home = require "icl.internal.home"
local read_options = require "icl.runs.options_file".read
local runs = require "icl.runs"

-- What a run leaves, the one that is wanted most first; averages are in checkpoints alone.
local checkpoints = { "checkpoints/best.safetensors", "checkpoints/last.safetensors",
                      "checkpoints/previous.safetensors" }
local files = { "weights.safetensors", table.unpack(checkpoints) }

local function is_file(path)
  return core.file_kind(path) == "file"
end

-- The first of these files in the folder of a run; nil if there are none.
local function weights_in(folder, names)
  for _, name in ipairs(names) do
    local path = folder .. "/" .. name
    if is_file(path) then return path end
  end
end

-- The folder of the run that a word stands for: itself, or the newest of those in it, also in the folder runs.
local function folder_of(word)
  if core.list_folder(word) and weights_in(word, files) then return word end
  return runs.newest(runs.find({ word }, "file or run")).path
end

-- The folder of the run that left a file; nil if none did.
local function folder_around(path)
  local folder = path:match "^(.*)/[^/]*$" or "."
  if folder == "checkpoints" then folder = "." end
  folder = folder:match "^(.*)/checkpoints$" or folder
  return is_file(folder .. "/options.lua") and folder or nil
end

-- find(word [, averages]) -> { path = of the file, run = the folder of its run or nil, options = those of the run, by
-- name }. averages: the file is to hold averages of weights.
local function find(word, averages)
  word = home(word)
  local is_path, names = is_file(word), averages and checkpoints or files
  local folder = (is_path and folder_around or folder_of)(word)
  if not folder then return { path = word, options = {} } end
  local path = is_path and word or weights_in(folder, names)
  if not path then
    fail("%s: this run has no weights yet: there is neither %s", core.printable(folder), table.concat(names, " nor "))
  end
  local values = read_options(folder .. "/options.lua")
  return { path = path, run = folder, options = values and values.options or {} }
end

return find
