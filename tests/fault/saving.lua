-- saving.lua FOLDER WHAT: saves, while calls of the system may fail, what WHAT says, and ends with code 1 and a message
-- where that failed. Places of files that are open must be as many afterwards as before.
local core = require "icl.core"
local folder, what = arg[1], arg[2]
local path, previous, best = folder .. "/last", folder .. "/previous", folder .. "/best"

-- Made before anything fails: oneDNN, which the engine asks about the processor, ends the process without memory.
local items = { { name = "a", tensor = core.full({ 100000 }, 2) }, { name = "b", tensor = core.full({ 3 }, 2) } }
for _, item in ipairs(items) do item.tensor:totable() end

local ways = {}

function ways.beside()
  local writer = core.safetensors_write_start(path, items, { icl = "{}" }, { keep = previous, links = { best } })
  assert(writer:wait())
end

function ways.collected()
  core.safetensors_write_start(path, items, { icl = "{}" }, { keep = previous, links = { best } })
end

function ways.here()
  core.safetensors_write(path, items, { checksum = "crc32" }, { keep = previous, links = { best } })
end

function ways.files()
  assert(core.make_folder(folder .. "/runs/x"))
  core.new_folder(folder .. "/runs/x/001")
  assert(#assert(core.list_folder(folder .. "/runs/x")) <= 1)
  local lock <close> = assert(core.file_lock(folder .. "/runs/log"))
  assert(core.file_write(folder .. "/runs/options", "text"))
end

function ways.reading()
  assert(core.safetensors_verify(path))
  assert(#core.safetensors_read(path) == 2)
end

-- How many files are open.
local function open_places()
  collectgarbage()
  collectgarbage()
  return #assert(core.list_folder "/proc/self/fd")
end

local before = open_places()
os.remove "/fault/arm"
local ok, message = pcall(ways[what])
collectgarbage()
os.remove "/fault/disarm"
local after = open_places()
if after ~= before then
  io.stderr:write(("%d files are open, and %d were\n"):format(after, before))
  os.exit(3, true)
end
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1, true)
end
