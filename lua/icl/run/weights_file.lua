-- run/weights_file.lua: weights.safetensors of a run: its model as it was at its best, in PyTorch's names.
local core = require "icl.core"
local exists = require "icl.internal.exists"
local weights = require "icl.weights"
local weights_metadata = require "icl.run.weights_metadata"

-- The checkpoint with the weights that are wanted: the best, or the last where no figures were reported.
local function source(folder)
  local best = folder .. "/checkpoints/best.safetensors"
  return exists(best) and best or folder .. "/checkpoints/last.safetensors"
end

local function copy(folder)
  local path = source(folder)
  local whole, message = core.safetensors_verify(path)
  if not whole then error(message, 0) end
  local list, metadata = core.safetensors_read(path)
  core.safetensors_write(folder .. "/weights.safetensors", weights.under("model", list),
    weights_metadata(core.json_decode(metadata.icl)))
end

-- write(run) -> true; or nil and a message. A run that keeps no model writes none.
local function write(run)
  if not run.kept.model then return true end
  local ok, message = pcall(copy, run.folder)
  if ok then return true end
  return nil, tostring(message)
end

return { write = write }
