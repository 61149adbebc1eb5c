-- test_runs.lua: reading the folders of runs, finished, growing and damaged ones.
local here = arg[0]:match "^(.*/)" or "./"
local check = dofile(here .. "check.lua")
local folders = dofile(here .. "run_folders.lua")
local core = require "icl.core"
local icl = require "icl"
local parse = require "icl.runs.options_file".parse
local runs = icl.runs

local root = os.tmpname()
os.remove(root)

-- A path below the folder of the tests; each name is used once.
local function place(name)
  return root .. "/" .. name
end

check("a finished run", function()
  folders.finished(place "a/wrn-28/003", { epochs = 3, seed = 1, betas = { 0.9, 0.999 } }, { 0.5, 0.9, 0.8 },
    { preset = "28" })
  local run = runs.read(place "a/wrn-28/003/")
  check.equal(run.name, "wrn-28/003")
  check.equal(run.recipe, "recipes/wrn.lua")
  check.equal(run.preset, "28")
  check.equal(run.state, "finished")
  check.equal(run.epoch, 3)
  check.equal(run.epochs, 3)
  check.equal(run.figure, "test.top1")
  check.equal(run.best.value, 0.9)
  check.equal(run.best.epoch, 2)
  check.equal(run.last.value, 0.8)
  check.equal(run.seconds, 90.0)
  check.equal(run.left, nil)
  check.equal(run.options.betas[2], 0.999)
  check.equal(#run.problems, 0)
  check.equal(tostring(run), "wrn-28/003: finished, epoch 3/3, error, test 20.00 %, best 10.00 % at 2")
end)

check("a run that grows, and a line that is not whole yet", function()
  local path = place "grows"
  folders.make(path, { options = { epochs = 9 }, lines = { folders.report(1, 9, 0.1), '{"epoch":2,"te' } })
  folders.write(path .. "/metrics.jsonl", icl.runs.read(path):text "metrics.jsonl":gsub("\n$", ""))
  local run = runs.read(path)
  check.equal(#run.reports, 1)
  check.equal(#run.problems, 0)
  check.equal(run.state, "killed")
  check.equal(run:update(), false)
  assert(core.prompt.append(path .. "/metrics.jsonl", 'st":{"top1":0.25}}\n'))
  check.equal(run:update(), true)
  check.equal(run.last.value, 0.25)
  check.equal(run.epoch, 2)
  assert(core.prompt.append(path .. "/metrics.jsonl", '{"state":"stopped","epoch":2}\n'))
  check.equal(run:update(), true)
  check.equal(run.state, "stopped")
end)

check("reports of a run that was resumed take the place of later ones", function()
  local path = place "resumed"
  folders.make(path, { lines = {
    folders.report(1, 9, 0.1), folders.report(2, 9, 0.2), folders.report(3, 9, 0.3), { state = "stopped", epoch = 3 },
    folders.report(2, 9, 0.25),
  } })
  local run = runs.read(path)
  check.equal(#run.reports, 2)
  check.equal(run.last.value, 0.25)
  check.equal(run.state, "killed")
  folders.write(path .. "/metrics.jsonl", '{"epoch":1,"val":{"loss":3}}\n')
  check.equal(run:update(), true)
  check.equal(run.figure, "val.loss")
  check.equal(#run.reports, 1)
end)

check("reports of one epoch are one, whose later figures count", function()
  local path = place "together"
  local function report(epoch, step, more)
    more.epoch, more.step = epoch, step
    return more
  end
  folders.make(path, { lines = {
    report(1, 10, { train = { loss = 3, top1 = 0.1 }, lr = 0.5 }), report(1, 10, { val = { top1 = 0.2, loss = 2 } }),
    report(1, 10, { val = { loss = 1.5, f1 = 0.3 }, lr = 0.25 }),
    report(2, 15, { val = { top1 = 0.4 } }), report(2, 20, { train = { loss = 2 } }),
  } })
  local run = runs.read(path)
  check.equal(#run.reports, 2)
  local first = run.reports[1]
  check.equal(first.train.loss, 3)
  check.equal(first.lr, 0.25)
  check.equal(first.val.top1, 0.2)
  check.equal(first.val.loss, 1.5)
  check.equal(first.val.f1, 0.3)
  check.equal(run.figure, "val.top1")
  check.equal(run.last.value, 0.4)
  check.equal(run.reports[2].train.loss, 2)
  assert(core.prompt.append(path .. "/metrics.jsonl", '{"epoch":2,"step":20,"test":{"top1":0.5}}\n'))
  run:update()
  check.equal(#run.reports, 2)
  check.equal(run.reports[2].val.top1, 0.4)
  check.equal(run.reports[2].test.top1, 0.5)
  -- It goes back into epoch 2, and reports again there.
  assert(core.prompt.append(path .. "/metrics.jsonl", '{"epoch":2,"step":15,"test":{"top1":0.6}}\n'))
  run:update()
  check.equal(#run.reports, 2)
  check.equal(run.reports[2].train, nil)
  check.equal(run.reports[2].val, nil)
  check.equal(run.reports[2].test.top1, 0.6)
end)

check("reports of the end are one too, until the run goes on", function()
  local path = place "ends"
  folders.make(path, { lines = {
    folders.report(1, 2, 0.1), { epoch = 1, step = 390, final = true, memory = { first = 1 } },
    { epoch = 1, step = 390, final = true, test = { top1 = 0.5 } },
  } })
  local run = runs.read(path)
  check.equal(run.final.memory.first, 1)
  check.equal(run.final.test.top1, 0.5)
  assert(core.prompt.append(path .. "/metrics.jsonl", '{"epoch":2,"step":780,"test":{"top1":0.6}}\n'))
  run:update()
  check.equal(run.final, nil)
  assert(core.prompt.append(path .. "/metrics.jsonl", '{"epoch":2,"step":780,"final":true,"test":{"top1":0.6}}\n'))
  run:update()
  check.equal(run.final.memory, nil)
end)

check("a running run, and how long it will take", function()
  local path, locked = place "running", core.file_locked
  folders.make(path, { lines = { folders.report(1, 9, 0.1, { time = os.time() }),
                                 folders.report(3, 9, 0.1, { time = os.time() }) } })
  core.file_locked = function(name) return name == path .. "/log.txt" end
  local restore <close> = setmetatable({}, { __close = function() core.file_locked = locked end })
  local run = runs.read(path)
  check.equal(run.state, "running")
  check.near(run.left, 180, 3)
end)

check("values that are no figures, keys that are not known, lines that are no reports", function()
  local path = place "odd"
  folders.make(path, { lines = {
    '{"epoch":1,"test":{"top1":null,"loss":"x","mine":[1,2]},"news":{"a":{"b":1}},"lr":{}}',
    '{"epoch":2,"test":7,"step":"x"}', '{"epoch":"x"}', "[1]", "no JSON",
    '{"epoch":3,"test":{"top1":0.5},"seconds":null}', '{"epoch":3,"test":{"top1":0.6},"final":true}', "",
  } })
  local run = runs.read(path)
  check.equal(run.last.value, 0.5)
  check.equal(run.final.test.top1, 0.6)
  check.equal(run.problems[1], path .. "/metrics.jsonl: lines that are no reports: 3")
end)

check("numbers that can be no counts, and figures without bounds", function()
  local path = place "hostile"
  folders.make(path, { options = { epochs = 1e300 }, lines = {
    '{"epoch":-1e308,"test":{"top1":0.1}}', '{"epoch":1e308,"test":{"top1":0.1}}',
    '{"epoch":1,"epochs":-1,"seconds":1e300,"time":-1e300,"step":-7,"test":{"top1":-1.7e308,"loss":5e-324}}',
    '{"epoch":2.5,"seconds":1,"test":{"loss":1e150,"top1":1e149}}',
    '{"epoch":3,"time":1e12,"test":{"loss":-1e150,"top1":-1e149}}',
    '{"state":"failed","epoch":-3,"seconds":1e300,"message":7}', '{"state":"nonsense"}',
  } })
  local run = runs.read(path)
  check.equal(#run.reports, 3)
  check.equal(run.epoch, 3)
  check.equal(run.epochs, nil)
  check.equal(run.seconds, nil)
  check.equal(run.state, "killed")
  check.equal(run.problems[1], path .. "/metrics.jsonl: lines that are no reports: 2")
  assert(#require "icl.report" { run, run } > 1000)
  local lines = require "icl.chart.text"({ title = "x", epochs = 1e12, series = {
    { epochs = { 1, 2.5, 3 }, values = { 5e-324, 1e150, -1e150 }, number = 1 },
  } }, 60, 12, { braille = true, paint = function(text) return text end })
  check.equal(#lines, 12)
end)

check("folders that are empty, missing or no runs", function()
  local _, message = runs.read(place "none")
  assert(message:find "none: cannot list it: No such file or directory", message)
  folders.write(place "other/file", "x")
  _, message = runs.read(place "other")
  assert(message:find "it is not the folder of a run", message)
  check.equal(#runs.list(place "none"), 0)
  folders.make(place "bare", {})
  local run = runs.read(place "bare")
  check.equal(run.epoch, 0)
  check.equal(run.best, nil)
  os.remove(place "bare/metrics.jsonl")
  os.remove(place "bare/log.txt")
  check.equal(runs.read(place "bare").state, "killed")
  check.raises(function() runs.read() end, "a path is needed")
end)

check("a list of runs", function()
  for _, name in ipairs { "vgg/002", "vgg/001", "deep/a/b/001", ".hidden/001" } do
    folders.finished(place("list/" .. name), {}, { 0.5 })
  end
  folders.write(place "list/vgg/003/options.lua", "os.exit()")
  local names = {}
  for i, run in ipairs(runs.list(place "list")) do names[i] = run.name end
  check.equal(table.concat(names, " "), "b/001 vgg/001 vgg/002 vgg/003")
  check.equal(#runs.find { place "list/vgg", place "list/vgg/001" }, 3)
  check.raises(function() runs.find "list" end, "icl.runs.find: it takes a list of folders or names, not 'list'")
  check.raises(function() runs.find { place "list/nothing" } end, "there is no run .*list/nothing")
  local broken = runs.read(place "list/vgg/003")
  assert(broken.problems[1]:find("vgg/003/options.lua: it does not begin with the call", 1, true), broken.problems[1])
end)

local function refused(text, pattern)
  local value, message = parse(text)
  if value then error("this was accepted: " .. text, 2) end
  if not message:find(pattern) then error(("'%s' instead of '%s'"):format(message, pattern), 2) end
end

check("options.lua is read as data", function()
  local value = parse("-- a comment\nrequire('icl').rerun({ a = -0x1.8p+1, [2] = [[x]], s = 'it\\'s \\\n',\n" ..
    "l = { 1e9999, nil }; })\n")
  check.equal(value.a, -3.0)
  check.equal(value[2], "x")
  check.equal(value.s, "it's \n")
  check.equal(value.l[1], math.huge)
end)

check("options.lua is not executed", function()
  local call = 'require "icl".rerun '
  refused("", "does not begin with")
  refused("os.exit()", "does not begin with")
  refused("\27Lua", "\27 is no constant")
  refused(call .. "{ a = os }", "line 1: os is no constant")
  refused(call .. "{\n a = (function() end)() }", "line 2: %( is no constant")
  refused(call .. "{ a = ('x'):rep(1e9) }", "is no constant")
  refused(call .. "{ a = 'x' .. 'x' }", "%. is no constant")
  refused(call .. "{ a = b == 1 }", "= is no constant")
  refused(call .. "{ a = 1 } while true do end", "while is no constant")
  refused(call .. "{ a = 'x }", "is no constant")
  refused(call .. "{ [nil] = 1 }", "index is nil")
  refused(call .. "{ a = -{} }", "arithmetic")
  refused(call .. "{ a = " .. ("{"):rep(100000), "overflow")
  refused(call .. "{}" .. (" "):rep(1 << 20), "bytes, more than")
end)

check("damaged files of both kinds are read or refused, never an error", function()
  local pieces = { "{", "}", "[", "]", "[[", "]==]", "=", ",", "--", "--[[", "'", '"', "\\", "0x", "1e", "..", "nil",
                   "(", ")", "\0", "\n", "\255", "function", "-", "return", '{"epoch":', "null", "1e999",
                   '"test":{', "[1,{}]" }
  local state = 1
  local function below(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n
  end
  local function damage(text)
    for _ = 0, below(4) do
      local from = below(#text + 1)
      text = text:sub(1, from) .. pieces[below(#pieces) + 1] .. text:sub(from + 1 + below(3) * below(9))
    end
    return text
  end
  folders.finished(place "fuzz", { betas = { 0.9, 0.999 }, seed = 3, name = "it's", warm = false }, { 0.5, 0.9 })
  local options, lines = runs.read(place "fuzz"):text "options.lua", runs.read(place "fuzz"):text "metrics.jsonl"
  for _ = 1, 20000 do parse(damage(options)) end
  for _ = 1, 300 do
    folders.write(place "fuzz/options.lua", damage(options))
    folders.write(place "fuzz/metrics.jsonl", damage(lines))
    local run = runs.read(place "fuzz")
    assert(run.state and #run.reports <= 3)
    if run.best then assert(run.best.value <= 1e150) end
  end
end)

os.execute("rm -rf " .. root)
check.close()
