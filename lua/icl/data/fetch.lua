-- data/fetch.lua: brings image sets onto the machine.
--
-- Files are loaded into a hidden folder beside the place of the set, and go on there after a break. When all are whole,
-- and the set can be read, it appears in its place at once.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"
local sources = require "icl.data.sources"

local fetch = { names = arguments.names(sources) }

local TRIES = 5         -- after a break, each of which must have brought something
local TURN = 0.1        -- seconds until progress is shown again
local WHOLE = "whole"   -- the folder that becomes the set

local function megabytes(bytes)
  return numbers.format("%.1f MB", bytes / 1e6)
end

-- ---- what is shown ----

-- A bar on a terminal, in place of the one before; `since` is when the file was begun.
local function show(name, since, have, whole, start)
  if not core.isatty(1) then return end
  local rate = (have - start) / math.max(core.clock() - since, 1e-9)
  local text = numbers.format("%s  %s  %s/s", name, megabytes(have), megabytes(rate))
  if whole then
    local full = math.min(24, 24 * have // whole)
    text = numbers.format("%s  [%s%s]  %s of %s  %s/s  %.0f s left", name, ("#"):rep(full), ("."):rep(24 - full),
      megabytes(have), megabytes(whole), megabytes(rate), (whole - have) / math.max(rate, 1))
  end
  io.stdout:write("\r", text:sub(1, core.terminal_width() - 1), "\27[K")
  io.stdout:flush()
end

local function say(format, ...)
  io.stdout:write(core.isatty(1) and "\r\27[K" or "", numbers.format(format, ...), "\n")
  io.stdout:flush()
end

-- ---- one file ----

local function size(path)
  local file <close> = io.open(path, "rb")
  return file and file:seek "end" or nil
end

-- One try to load a file to its end; -> what became of it (core.transfer), why, how many bytes are there.
local function try(name, url, path, afresh)
  local transfer <close> = core.transfer(url, path, afresh)
  local since, outcome, why = core.clock(), "going", nil
  while outcome == "going" do
    outcome, why = transfer:turn(TURN)
    show(name, since, transfer:state())
  end
  return outcome, why, (transfer:state())
end

-- Loads a file, on and on while the connection breaks; -> nil, or what went wrong at last and why.
local function load_file(name, url, path, afresh)
  local before = afresh and 0 or size(path) or 0
  if before > 0 then say("%s: goes on at %s", name, megabytes(before)) end
  for _ = 0, TRIES do
    local outcome, why, have = try(name, url, path, afresh)
    if outcome == "done" then return nil end
    if outcome == "ranges" then
      say("%s: the server cannot go on in the middle, so it begins again", name)
      afresh, before = true, 0
    elseif outcome ~= "cut" or have <= before then
      return outcome, why
    else
      say("%s: the connection broke at %s: %s", name, megabytes(have), why)
      afresh, before = false, have
    end
  end
  return "cut", ("the connection broke %d times"):format(TRIES + 1)
end

-- Loads a file and compares its digest; -> nil, or what went wrong and why. A file that was loaded in parts may be of
-- two that differ, so it has a second chance.
local function load_right(name, url, path, digest)
  local resumed = (size(path) or 0) > 0
  local problem, why = load_file(name, url, path, false)
  if not problem and core.file_digest(path) ~= digest and resumed then
    say("%s: what was there is of another file, so it begins again", name)
    problem, why = load_file(name, url, path, true)
  end
  if problem then return problem, why end
  local got = core.file_digest(path)
  if got == digest then return nil end
  os.remove(path)
  return "digest", ("its MD5 is %s and should be %s: the server sent something else, which was removed"):format(got,
    digest)
end

-- Is a part of a file worth to be kept? An empty one is not.
local function keep_part(path)
  local bytes = size(path) or 0
  if bytes > 0 then return ("\n%s of it are kept, and the same command goes on there"):format(megabytes(bytes)) end
  os.remove(path)
  return ""
end

-- The file of this name in the folder `where`, from the first mirror that has it.
local function get(name, digest, mirrors, where)
  local path, part, reasons = where .. "/" .. name, where .. "/" .. name .. ".part", {}
  if size(path) and core.file_digest(path) == digest then return end
  local since = core.clock()
  for _, base in ipairs(mirrors) do
    local url = base:gsub("/*$", "/") .. name
    local problem, why = load_right(name, url, part, digest)
    if not problem then
      assert(os.rename(part, path))
      say("%s: %s in %.0f s", name, megabytes(size(path)), core.clock() - since)
      return
    end
    reasons[#reasons + 1] = problem == "disk" and ("%s: cannot write it: %s"):format(part, why) or url .. ": " .. why
    if problem == "disk" then break end
  end
  fail("%s%s", table.concat(reasons, "\n"), keep_part(part))
end

-- ---- a set ----

-- Puts the files that were loaded together as the set, and reads it. After an error nothing of it takes room.
local function assemble(name, source, work)
  local where = work:path()
  local whole = where .. "/" .. WHOLE
  work:folder(WHOLE)
  local clear <close> = setmetatable({}, { __close = function(_, failure)
    if failure then work:folder(WHOLE) end
  end })
  for _, file in ipairs(source.files) do
    if source.archive then
      core.data_unpack(name, where .. "/" .. file[1], whole)
    else
      assert(os.rename(where .. "/" .. file[1], whole .. "/" .. file[1]))
    end
  end
  for _, part in ipairs { "train", "test" } do core.data_open(name, whole, part) end
  work:publish(WHOLE)
end

-- What icl.data.fetch does.
function fetch.fetch(name, given)
  local options = arguments.options("icl.data.fetch", given, {}, { "data", "from" })
  arguments.choice("icl.data.fetch: the name", name, fetch.names)
  local data = options.data ~= "" and options.data or nil
  local found = core.data_find(name, data)
  if found then
    say("%s is there already, in %s", name, found)
    return found
  end
  local root = data or core.data_home() or fail "icl.data.fetch: there is no home folder; {data} names a place"
  local target, source = root:gsub("/*$", "/") .. name, sources[name]
  do
    local work <close> = core.workplace(target)
    local mirrors = options.from and options.from ~= "" and { options.from } or source.mirrors
    for _, file in ipairs(source.files) do get(file[1], file[2], mirrors, work:path()) end
    assemble(name, source, work)
  end
  say("%s is in %s", name, target)
  return target
end

return fetch
