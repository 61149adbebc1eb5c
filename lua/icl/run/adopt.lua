-- run/adopt.lua: the checkpoints in the folder of a run that goes on, made those of the state that it goes on from.
--
-- It may go on from another one than the last, with files of what came later in its folder; in a folder of its own; or
-- behind a save that ended between the file and its second names.
local core = require "icl.core"

local function path_of(folder, name)
  return ("%s/checkpoints/%s.safetensors"):format(folder, name)
end

-- Writes the contents of one checkpoint under another name.
local function copy(tensors, metadata, path)
  metadata.checksum = "crc32"
  core.safetensors_write(path, tensors, metadata)
end

local function same(a, b)
  return a.name == b.name and a.value == b.value and a.epoch == b.epoch
end

-- The tensors and metadata of a file that holds the best state, if it is this one.
local function read_best(path, best)
  if not core.safetensors_verify(path) then return nil end
  local ok, tensors, metadata = pcall(core.safetensors_read, path)
  if not ok then return nil end
  local decoded, about = pcall(core.json_decode, metadata.icl or "")
  local found = decoded and type(about) == "table" and about.state and about.state.best
  if found and same(found, best) then return tensors, metadata end
end

-- Takes note that no file has the weights of the best figure.
local function forget_best(run, path)
  os.remove(path)
  run:forget_best()
end

-- Sees to best.safetensors; -> a line where what was the best is in no file, or nil and what is wrong where it could
-- not be written.
local function adopt_best(run, before, path)
  local best = before.state.best
  if not best then
    os.remove(path)
    return nil
  end
  local source = before.folder and path_of(before.folder, "best")
  local tensors, metadata = read_best(source or path, best)
  if tensors and source == path then return nil end
  if not tensors and best.epoch == before.state.epoch and not before.state.inside then
    tensors, metadata = before.tensors, before.metadata
  end
  if tensors then
    local ok, message = pcall(copy, tensors, metadata, path)
    if ok then return nil end
    forget_best(run, path)
    return nil, ("the best state could not be saved: %s. The training goes on, and the best is looked for anew"):format(
      message)
  end
  forget_best(run, path)
  return ("Note: no file has the weights of the best %s, that of epoch %d; the best is looked for anew"):format(
    best.name, best.epoch)
end

-- Removes what lies behind the place where the run goes on, and makes that the last state.
local function rewind(run, before)
  copy(before.tensors, before.metadata, path_of(run.folder, "last"))
  os.remove(path_of(run.folder, "previous"))
  for _, name in ipairs(core.list_folder(run.folder .. "/checkpoints") or {}) do
    local epoch = tonumber(name:match "^epoch%-(%d+)%.safetensors$" or "", 10)
    if epoch and epoch > before.state.epoch then os.remove(run.folder .. "/checkpoints/" .. name) end
  end
end

-- adopt(run, before) -> a line for the log, or nil; and a warning, or nil. before: the checkpoint that the run goes on
-- from. What an end of the run left is that of another one from here on: the checkpoints have the weights meanwhile.
local function adopt(run, before)
  if before.path ~= path_of(run.folder, "last") then rewind(run, before) end
  local note, problem = adopt_best(run, before, path_of(run.folder, "best"))
  os.remove(run.folder .. "/weights.safetensors")
  return note, problem
end

return adopt
