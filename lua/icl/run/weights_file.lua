-- run/weights_file.lua: weights.safetensors of a run: its model as it was at its best, in PyTorch's names.
local core = require "icl.core"
local exists = require "icl.internal.exists"
local json = require "icl.json"
local weights = require "icl.weights"

-- The checkpoint with the weights that are wanted: the best, or the last where no figures were reported.
local function source(folder)
  local best = folder .. "/checkpoints/best.safetensors"
  return exists(best) and best or folder .. "/checkpoints/last.safetensors"
end

-- The metadata of a checkpoint without what only a run needs.
local function without_state(metadata)
  local about = core.json_decode(metadata.icl)
  about.state, about.settings, about.frozen = nil, nil, nil
  return { format = "pt", icl = json.encode(about), checksum = "crc32" }
end

local function copy(folder)
  local list, metadata = core.safetensors_read(source(folder))
  core.safetensors_write(folder .. "/weights.safetensors", weights.under("model", list), without_state(metadata))
end

-- write(run) -> true; or nil and a message. A run that keeps no model writes none.
local function write(run)
  if not run.kept.model then return true end
  local ok, message = pcall(copy, run.folder)
  if ok then return true end
  return nil, tostring(message)
end

return { write = write }
