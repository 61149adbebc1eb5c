-- run/saver.lua: when the state of a run is saved, and what becomes of the files.
--
-- A save takes the values there and then; they are written beside the training. `last` is the newest checkpoint and
-- `previous` the one before; `best` and `epoch-0100` are the same file under another name as long as it is the newest.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local checkpoint = require "icl.run.checkpoint"
local outcome = require "icl.internal.outcome"
local weights_file = require "icl.run.weights_file"

local Saver = {}
Saver.__index = Saver

local RETRY = 60  -- seconds after which a save that failed is tried again

local units = { s = 1, sec = 1, second = 1, min = 60, minute = 60, h = 3600, hour = 3600, d = 86400, day = 86400,
                epoch = "epochs", step = "steps" }

-- "10 min" -> { count = 600, unit = "seconds" }; nil for what means nothing.
local function parse(text)
  local number, word = text:match "^%s*(%d+%.?%d*)%s*(%a+)%s*$"
  local unit = word and (units[word] or units[word:gsub("s$", "")])
  local count = tonumber(number)
  if not unit or count <= 0 then return nil end
  if type(unit) == "number" then return { unit = "seconds", count = count * unit } end
  return math.tointeger(count) and { unit = unit, count = math.tointeger(count) } or nil
end

local function position(run)
  return ("%d %d %s"):format(run.epoch, run.step, tostring(run.inside))
end

-- saver.plan(options) -> when a run with these options is saved; it is asked for before the run has a folder, which a
-- wrong option is not to leave behind.
local function plan(options)
  local every = type(options.save_every) == "string" and parse(options.save_every)
  if not every then
    fail("icl.run: {save_every} is %s; it is written as 10min, 2h, 5epochs or 500steps",
      arguments.described(options.save_every))
  end
  return { every = every, keep = arguments.integer("icl.run: {keep_epochs}", options.keep_epochs, 0) }
end

-- saver.new(run, plan) -> what saves a run; one that has no folder is not saved.
local function new(run, when)
  local self = setmetatable({ run = run, every = when.every, keep = when.keep, since = core.clock() }, Saver)
  self.folder = run.folder and run.folder .. "/checkpoints"
  if self.folder then
    local made, message = core.make_folder(self.folder)
    if not made then fail("{output}: %s", message) end
  end
  self.saved_best = run.reports.best
  if run.before then self.saved_at, self.has_saved = position(run), true end
  return self
end

-- The numbers of the epochs that have checkpoints of their own, rising.
local function epoch_files(self)
  local list = {}
  for _, name in ipairs(core.list_folder(self.folder) or {}) do
    local epoch = name:match "^epoch%-(%d+)%.safetensors$"
    if epoch then list[#list + 1] = { epoch = tonumber(epoch, 10), path = self.folder .. "/" .. name } end
  end
  table.sort(list, function(a, b) return a.epoch < b.epoch end)
  return list
end

-- Removes checkpoints of epochs but for the last ones.
local function prune(self)
  if self.keep == 0 then return end
  local files = epoch_files(self)
  for i = 1, #files - self.keep do os.remove(files[i].path) end
end

-- Takes note of how a save ended.
local function note(self, ok, message)
  local run, at = self.run, self.writing
  self.writer, self.writing = nil, nil
  self.owed = not ok and at or nil
  if ok then
    if self.failed then run:line "The state could be saved again" end
    self.failed, self.saved_at, self.has_saved = nil, at.position, true
    if at.best then self.saved_best = at.best end
    prune(self)
  else
    if not self.failed then
      run:warn(("the state could not be saved: %s. The training goes on, and it is tried again"):format(message))
    end
    self.failed = message
    if at.best then run.reports.best, run.best = self.saved_best, self.saved_best end
  end
end

-- Takes note of a save that has ended meanwhile; with `wait` also of one that has not.
local function look(self, wait)
  if self.writer and (wait or self.writer:done()) then note(self, self.writer:wait()) end
end

-- What a save that failed at this very place was to be called too; nil: none did.
local function owed_here(self)
  local owed, run = self.owed, self.run
  if not owed or owed.position ~= position(run) then return nil end
  if owed.best then run.reports.best, run.best = owed.best, owed.best end
  return owed.names
end

-- Begins to save, as `names` too. One that is under way is waited for.
local function begin(self, names)
  local run = self.run
  look(self, true)
  names = names or owed_here(self)
  self.since = core.clock()
  local list, metadata = checkpoint.contents(run)
  local links = {}
  for i, name in ipairs(names or {}) do links[i] = ("%s/%s.safetensors"):format(self.folder, name) end
  self.writing = { position = position(run), names = names, best = names and names.best }
  local ok, writer = pcall(core.safetensors_write_start, self.folder .. "/last.safetensors", list, metadata,
    { keep = self.folder .. "/previous.safetensors", links = links })
  if ok then
    self.writer = writer
    if not self.has_saved then look(self, true) end  -- reports of a second epoch mean that there is a state
  else
    note(self, nil, writer)
  end
end

local function is_due(self)
  local every, passed = self.every, core.clock() - self.since
  if self.failed and passed >= RETRY then return true end
  if every.unit == "steps" then return self.run.step % every.count == 0 end
  return every.unit == "seconds" and passed >= every.count and not self.writer
end

-- saver:turned(): called after each pass of training.
function Saver:turned()
  if not self.folder then return end
  look(self)
  if is_due(self) then begin(self) end
end

-- saver:epoch_ended(): called when the body of an epoch has come to its end.
function Saver:epoch_ended()
  if not self.folder then return end
  local run, names = self.run, {}
  look(self)
  if run.reports.improved then
    run.reports.improved = false
    names[1], names.best = "best", run.reports.best
  end
  if self.every.unit == "epochs" and run.epoch % self.every.count == 0 then
    names[#names + 1] = ("epoch-%04d"):format(run.epoch)
  end
  if #names > 0 or is_due(self) then begin(self, names) end
end

-- saver:save_and_wait([anew]) -> true; or nil and why the state, as it is now, is not on the disk. Where it was saved
-- at this place already, that will do, unless `anew` is true. Of several processes the main one does it for all.
function Saver:save_and_wait(anew)
  if not self.folder and self.run.writes then return true end
  if not self.folder then return nil, "this run has no folder: give it an output" end
  look(self, true)
  if anew or self.saved_at ~= position(self.run) then
    begin(self)
    look(self, true)
  end
  if self.failed then return nil, self.failed end
  return true
end

-- saver:forget(): the state may be another one than was saved at this place.
function Saver:forget()
  self.saved_at = nil
end

-- saver:settle(): waits for a save that is under way.
function Saver:settle()
  look(self, true)
end

-- saver:stop(by): saves for a run that is stopped `by` something, and says so.
function Saver:stop(by)
  local run = self.run
  local place = ("Stopped %s in epoch %d, step %d"):format(by, run.epoch, run.step)
  if not self.folder then
    run:line(place)
    return
  end
  local ok, message = self:save_and_wait()
  if ok then
    run:line(("%s. `icl %s --resume %s` goes on."):format(place, run.program.recipe, run.folder))
  else
    run:warn(("%s; the state could not be saved: %s"):format(place, message))
  end
end

-- saver:finish() -> true, or nil and why not: the last save, and the weights of the best epoch. What cannot be saved is
-- a failure of the program.
function Saver:finish()
  if not self.folder then return true end
  local ok, message = self:save_and_wait()
  if ok then ok, message = weights_file.write(self.run) end
  if ok then return true end
  message = ("the end of the run could not be saved: %s"):format(message)
  outcome.fail(message)
  return nil, message
end

return { new = new, plan = plan }
