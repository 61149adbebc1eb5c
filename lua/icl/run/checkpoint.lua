-- run/checkpoint.lua: the state of a run as a file, and back.
--
-- A checkpoint is a safetensors file. Its tensors are those of what is kept, as `model.conv.weight` or
-- `optimizer.momentum_buffer.conv.weight`; all else is JSON in its metadata, under `icl`. Draws depend on the seed and
-- on places alone, so no generator has a state.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local description = require "icl.run.description"
local exists = require "icl.internal.exists"
local form = require "icl.run.form"
local json = require "icl.json"
local find = require "icl.runs.find"
local loop = require "icl.run.loop"
local parameters_of = require "icl.internal.parameters_of"
local metrics = require "icl.runs.metrics"
local places = require "icl.internal.places"
local plain = require "icl.run.plain"
local stand_ins = require "icl.internal.stand_ins"
local usage = require "icl.internal.usage"
local weights = require "icl.weights"

local checkpoint = {}

local VERSION = 1

-- checkpoint.has_settings(thing) -> has it numbers of its own? thing:settings() gives them, as a table for JSON, and
-- thing:settings(table) takes them back.
function checkpoint.has_settings(thing)
  return type(thing.settings) == "function"
end

-- ---- writing ----

-- The records of the epoch's training loops; loops of evaluation begin anew.
local function loop_states(run)
  local list = {}
  for i, record in ipairs(run.loops) do
    list[i] = { training = record.training or false }
    if record.training then
      for _, name in ipairs { "finished", "images", "last", "average", "logged", "done" } do
        list[i][name] = record[name]
      end
    end
  end
  return list
end

-- What was best when the state began; a better report of an epoch that has not ended is made again.
local function best_of(run)
  if run.inside and run.reports.improved then return run.saver.saved_best end
  return run.reports.best
end

-- What a checkpoint keeps for the program.
local function packed_table(what, value)
  if type(value) ~= "table" then
    fail("%s is %s; it must be a table, which checkpoints keep", what, arguments.described(value))
  end
  return plain.pack(value, what)
end

local function state_of(run)
  local last = math.tointeger(run.last_epoch)
  return {
    name = run.name, epoch = run.epoch, inside = run.inside and true or false, step = run.step, seconds = run:elapsed(),
    steps_per_epoch = run.steps_per_epoch,
    ends = last and last ~= run.epochs_asked and { asked = run.epochs_asked, last = last } or nil,
    loops = plain.pack(loop_states(run), "the state of the run"), loaders = run.loaders,
    changes = plain.pack(run.changes, "run.changes"), memory = packed_table("run.memory", run.memory),
    best = plain.pack(best_of(run) or {}, "run.best"),
  }
end

-- The names of the parameters that are not trained.
local function frozen_of(run)
  local names = {}
  for _, parameter in ipairs(parameters_of(run.kept)) do
    if not parameter.state.trainable then names[#names + 1] = parameter.name end
  end
  return names
end

local function contents(run)
  local list, settings = {}, {}
  for _, name in ipairs(arguments.names(run.kept)) do
    local thing = run.kept[name]
    for _, item in ipairs(thing.named_states and weights.state_dict(thing) or {}) do
      list[#list + 1] = { name = name .. "." .. item.name, tensor = item.tensor }
    end
    if checkpoint.has_settings(thing) then settings[name] = packed_table(name .. ":settings()", thing:settings()) end
  end
  local about, constants = description.of(run), nil
  about.state, about.settings, about.frozen = state_of(run), settings, frozen_of(run)
  about.network, constants = description.network(run)
  for _, item in ipairs(constants) do list[#list + 1] = { name = "model." .. item.name, tensor = item.tensor } end
  return list, { format = "pt", icl = json.encode(about) }
end

-- checkpoint.contents(run) -> the tensors of a checkpoint, a list of { name =, tensor = }, and its metadata.
function checkpoint.contents(run)
  return stand_ins.aside(contents, run)
end

-- ---- reading ----

local function parse(path)
  local list, metadata = core.safetensors_read(path)
  local about = metadata.icl and core.json_decode(metadata.icl)
  if type(about) ~= "table" or type(about.state) ~= "table" then
    error(("%s holds no state of a run"):format(path), 0)
  elseif about.version ~= VERSION then
    error(("%s was written by icl %s, whose checkpoints are of version %s, and this icl reads version %d: go on with "
      .. "that one, or begin anew with its weights, --weights %s"):format(path, about.icl, about.version, VERSION,
      path), 0)
  end
  local state = about.state
  for of, names in pairs { [state] = { "loops", "memory", "best", "changes" }, [about] = { "settings" } } do
    for _, name in ipairs(names) do
      local ok, value = pcall(plain.unpack, of[name])
      of[name] = ok and value or nil
    end
  end
  local wrong = form.wrong(about)
  if wrong then error(("%s is damaged: %s in its metadata is not what a run writes"):format(path, wrong), 0) end
  if not state.best.name then state.best = nil end
  return { path = path, tensors = list, metadata = metadata, about = about, state = state }
end

-- The contents of a checkpoint file; or nil and what is wrong with it.
local function read(path)
  local ok, result = core.safetensors_verify(path)
  if not ok then return nil, result end
  ok, result = pcall(parse, path)
  if ok then return result end
  return nil, tostring(result)
end

-- The files in a folder of checkpoints that can be gone on from besides the last ones: the best state, and the newest
-- one of those that were kept of epochs.
local function others_in(folder)
  local names, found = core.list_folder(folder) or {}, {}
  table.sort(names, function(a, b) return a > b end)
  for _, pattern in ipairs { "^best%.safetensors$", "^epoch%-%d+%.safetensors$" } do
    for _, name in ipairs(names) do
      local path = folder .. "/" .. name
      if name:find(pattern) and read(path) then
        found[#found + 1] = path
        break
      end
    end
  end
  return found
end

-- An error where neither of the last two states of a run can be gone on from, but what it reached is still there.
-- damage: what is wrong with those that are there, or nil.
local function check_nothing_is_lost(folder, damage)
  local checkpoints = folder .. "/checkpoints"
  local problem = damage or ("there is neither last.safetensors nor previous.safetensors in %s"):format(checkpoints)
  local others = others_in(checkpoints)
  if #others > 0 then
    fail("resume: %s; --resume %s goes on from an older state", problem, table.concat(others, " or "))
  elseif exists(folder .. "/weights.safetensors") then
    fail("resume: %s; the weights that the run ended with are there, and a new one may begin with them, --weights "
      .. "%s/weights.safetensors", problem, folder)
  end
  local written = metrics.open(folder .. "/metrics.jsonl")
  written:update()
  local last, ending = written.reports[#written.reports], written.ending
  local was_saved = ending and not ending.unsaved or not ending and last and last.epoch > 1
  if last and not damage and was_saved then
    fail("resume: %s, and the run wrote reports up to epoch %g; it begins anew when %s is moved away", problem,
      last.epoch, written.path)
  end
end

-- checkpoint.open(path) -> the checkpoint to go on from: the file `path`, or the last one of a run's folder; of that
-- the one before it where the last cannot be read, which `damage` says then. Its folder is that of the run. Where a run
-- ended before its first save there is a folder alone, and no state. One that was killed has the report of its first
-- epoch at most then, which is written before the save at the end of that epoch.
function checkpoint.open(path)
  path = arguments.path("icl.run: resume", path)
  local folder, is_file = find.folder_of(path)
  if is_file then
    local opened, problem = read(path)
    if not opened then fail("resume: %s", problem) end
    opened.folder = folder
    return opened
  end
  path = folder
  local damage
  for _, name in ipairs(find.last_checkpoints) do
    local file = ("%s/checkpoints/%s.safetensors"):format(path, name)
    if exists(file) then
      local opened, problem = read(file)
      if opened then
        opened.folder, opened.damage = path, damage
        return opened
      end
      damage = damage and damage .. "; " .. problem or problem
    end
  end
  check_nothing_is_lost(path, damage)
  if not damage and exists(path .. "/options.lua") then return { folder = path } end
  fail("resume: %s", damage or ("there is no checkpoint in %s/checkpoints"):format(path))
end

-- An error about what differs between a checkpoint and the run that is to go on, or with `anyway` a line for the log.
local function differ(run, path, differences, anyway)
  if #differences == 0 then return end
  local text = table.concat(differences, "; ")
  if not anyway then
    usage.during(usage.latest(), fail, "resume: %s: %s. {resume_anyway} goes on all the same", path, text)
  end
  table.insert(run.notes, ("Note: goes on although it differs: %s"):format(text))
end

-- The names of what a checkpoint keeps, sorted.
local function names_in(before)
  local names = {}
  for _, item in ipairs(before.tensors) do names[item.name:match "^[^.]*"] = true end
  for name in pairs(before.about.settings) do names[name] = true end
  return arguments.names(names)
end

-- Has a thing states of names that are in a list? Those of another kind of optimizer have none.
local function is_akin(thing, list)
  local names = {}
  for _, item in ipairs(list) do names[item.name] = true end
  for _, entry in ipairs(thing:named_states()) do
    if names[entry.name] then return true end
  end
  return false
end

-- Gives a thing its states of a checkpoint, a list, with `anyway` those that fit; -> what differs, or nil, and whether
-- the thing begins anew.
local function load_states(thing, name, list, path, anyway)
  if #list == 0 then return ("it holds no %s"):format(name), true end
  if not is_akin(thing, list) then
    return ("its %s is of another kind, so that this one begins anew"):format(name), true
  end
  local found = weights.load_state_dict(thing, list, { strict = not anyway, target = name, source = path,
    advice = "{resume_anyway} loads what fits", may_be_none = true })
  local lacking = #found.missing + #found.unreadable + #found.wrong
  if lacking > 0 then
    local fitting = #thing:named_states() - lacking
    return ("of the states of %s %d fit and %d begin anew"):format(name, fitting, lacking), fitting == 0
  end
  return #found.unexpected > 0 and ("it holds %d states that %s has not"):format(#found.unexpected, name) or nil
end

local function load_kept(run, before, anyway)
  local differences = {}
  for _, name in ipairs(arguments.names(run.kept)) do
    local thing, list, difference, begins_anew = run.kept[name], weights.under(name, before.tensors)
    if thing.named_states and #thing:named_states() > 0 then
      difference, begins_anew = load_states(thing, name, list, before.path, anyway)
      differences[#differences + 1] = difference
    end
    local settings = before.about.settings[name]
    if checkpoint.has_settings(thing) and settings and not begins_anew then
      local taken, message = pcall(thing.settings, thing, settings)
      if not taken then
        fail("resume: %s: %s:settings() does not take the settings in its metadata: %s", before.path, name, message)
      end
    end
  end
  for _, name in ipairs(names_in(before)) do
    if not run.kept[name] then differences[#differences + 1] = ("it holds %s, and keep has none"):format(name) end
  end
  differ(run, before.path, differences, anyway)
end

-- Of the parameters that a checkpoint holds, freezes those that were frozen, and no others.
local function freeze_again(run, before)
  local held, frozen = {}, {}
  for _, item in ipairs(before.tensors) do held[item.name] = true end
  for _, name in ipairs(before.about.frozen) do frozen[name] = true end
  for _, parameter in ipairs(parameters_of(run.kept)) do
    if held[parameter.name] then parameter.state:freeze(frozen[parameter.name] == true) end
  end
end

-- The name of a run as people count: "run 1" for run0.
local function called(name)
  return (name:gsub("^run(%d+)$", function(number) return ("run %d"):format(math.tointeger(number) + 1) end))
end

-- checkpoint.restore(run, before, anyway): the run as it was in a checkpoint that was opened. What differs is an error,
-- or with `anyway` a note.
function checkpoint.restore(run, before, anyway)
  local state, differences = before.state, {}
  run.notes, run.anyway = {}, anyway
  if before.about.seed ~= places.current_seed() then
    differences[1] = ("it has the seed %d, and this run %d"):format(before.about.seed, places.current_seed())
  end
  if state.name ~= run.name then
    differences[#differences + 1] = ("it is %s of its program, and this is %s"):format(called(state.name),
      called(run.name))
  end
  differ(run, before.path, differences, anyway)
  load_kept(run, before, anyway)
  if before.about.frozen then freeze_again(run, before) end
  run.name = state.name
  run.epoch, run.step, run.seconds, run.memory = state.epoch, state.step, state.seconds, state.memory
  run.steps_per_epoch = state.steps_per_epoch
  if state.ends and state.ends.asked == run.epochs_asked then run.last_epoch = state.ends.last end  -- as it was set
  run.changes, run.to_change = state.changes, #state.changes > 0
  run.inside, run.goes_on = state.inside and state.epoch, state.inside
  for i, saved in ipairs(state.inside and state.loops or {}) do
    local record = loop.record(i)
    if saved.training then
      for key, value in pairs(saved) do record[key] = value end
    end
    run.loops[i] = record
  end
  run.expected, run.resumed_step, run.before = state.loaders, state.step, before
  run.loaders = table.move(state.loaders, 1, #state.loaders, 1, {})  -- of those that no loop comes to before a save
  run.place = state.epoch > 0 and ("%s.epoch%d"):format(run.name, state.epoch) or run.name
end

-- checkpoint.notes(run, before) -> lines that say where a run goes on, and what may come out differently.
function checkpoint.notes(run, before)
  local about, lines = before.about, {}
  if before.damage then lines[1] = ("Note: %s; %s is used"):format(before.damage, before.path) end
  lines[#lines + 1] = ("Goes on from %s: epoch %d, step %d"):format(before.path, run.epoch, run.step)
  if run.last_epoch < run.epoch then
    lines[#lines + 1] = ("Note: %d epochs are wanted, and it was in epoch %d already; no other one begins"):format(
      run.last_epoch, run.epoch)
  end
  local now = description.machine()
  local processes = about.processes or 1
  if processes ~= now.processes then
    lines[#lines + 1] = ("Note: it was begun by %d process%s and goes on with %d: in each step the same images in the "
      .. "same order, spread in another way; their sums are added in another order, so the bytes will differ"):format(
      processes, processes > 1 and "es" or "", now.processes)
  elseif (about.shares or about.threads) ~= now.shares then
    lines[#lines + 1] = ("Note: it was begun with %d shares of a batch (%d threads) and goes on with %d (%d threads), "
      .. "so the bytes will differ from those of a run that was never interrupted; with --shares N they would not "
      .. "depend on threads"):format(about.shares or about.threads, about.threads, now.shares, now.threads)
  end
  if about.build ~= now.build then
    lines[#lines + 1] = "Note: it was begun by another build of icl; the bytes may differ"
  end
  return table.move(run.notes, 1, #run.notes, #lines + 1, lines)
end

-- The facts of a loader that are not as they were before.
local function differing(before, now)
  local names = {}
  for _, name in ipairs(arguments.names(now)) do
    if before[name] ~= nil and before[name] ~= now[name] then names[#names + 1] = name end
  end
  return names
end

-- May a loop be over another loader than the one that is remembered? Of another epoch it may, where the program makes
-- it in the body of each or had different ones so far.
local function may_vary(run, before, loader)
  return before.epoch ~= run.epoch and (before.varies or (loader.made or 0) >= run.epoch_began)
end

-- An error, or a line for the log, where a run goes on with another loader in loop `number` of an epoch than before.
local function check_same(run, number, before, now)
  local differences = {}
  for i, name in ipairs(differing(before, now)) do
    differences[i] = ("%s of loop %d was %s and is %s"):format(name, number, before[name], now[name])
  end
  if before.batch_size ~= now.batch_size and (run.before.about.processes or 1) ~= description.machine().processes then
    differences[#differences + 1] = ("{global_batch_size} %d keeps the batches"):format(before.batch_size)
  end
  if #differences > 0 and not run.anyway then differ(run, run.before.path, differences, false) end
  if #differences > 0 then run:line("Note: goes on although it differs: " .. table.concat(differences, "; ")) end
end

-- checkpoint.check_loaders(run, loaders): the same of the loaders that the first loops of each epoch will be over,
-- before anything of the run that goes on is changed.
function checkpoint.check_loaders(run, loaders)
  local goes_on = run.inside or run.epoch < run.last_epoch
  for number, loader in ipairs(goes_on and not run.anyway and loaders or {}) do
    local before = run.expected[number]
    if before then check_same(run, number, before, description.loader(loader)) end
  end
end

-- checkpoint.check_loader(run, number, loader) -> what is remembered of the loader of loop `number` of an epoch: what
-- it is, the epoch, and whether it varies from one epoch to the next. Where the run goes on and another loader was
-- there, that is an error, or a line for the log.
function checkpoint.check_loader(run, number, loader)
  local now, before = description.loader(loader), run.expected and run.expected[number] or nil
  if before then
    run.expected[number] = nil
    if not may_vary(run, before, loader) then check_same(run, number, before, now) end
  end
  local last = before or run.loaders[number]
  local varies = last and (last.varies or #differing(last, now) > 0) or nil
  now.epoch, now.varies = run.epoch, varies
  return now
end

return checkpoint
