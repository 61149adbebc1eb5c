-- test_run_files.lua [COUNT [FIRST [options|reports|state]]]: whatever a run's options.lua, metrics.jsonl or checkpoint
-- says, it is read, or the message is one for people. The input that failed is shown.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "../lua/check.lua")
local icl = require "icl"
local core = require "icl.core"
local checkpoint = require "icl.run.checkpoint"
local options_file = require "icl.runs.options_file"
local reports = require "icl.run.reports"

local COUNT, FIRST, ONLY = tonumber(arg[1] or 300), tonumber(arg[2] or 0), arg[3]

-- ---- inputs ----

local words = {
  "{", "}", "[", "]", "(", ")", ",", "=", "\"", "'", "[[", "]]", "--", "--[[", "\\", "\n", "\0", "\255", "null", "nil",
  "true", "false", "-1", "0", "1e308", "1e999", "0x7p9", "nan", "9223372036854775807", "1.5", "[]", "{}", "\"\"",
  "\"x\"", "function", "require", "while", "..", "\"$table\":", "\"$bytes\":", "\"$number\":\"nan\"", "\"epoch\":",
  "\"step\":",
  "\"state\":", "\"loops\":", "\"memory\":", "\"best\":", "\"figures\":", "\"settings\":", "\"changes\":", "\"test\":",
}

-- A text with some changes, most of which leave much of it as it was.
local function changed(text)
  local random = math.random
  for _ = 1, random(0, 6) do
    local at, kind = random(1, #text + 1), random(5)
    local removed = kind == 1 and 0 or random(0, 12)
    local put = ""
    if kind == 2 then put = string.char(random(0, 255)) end
    if kind >= 3 then put = words[random(#words)] end
    if kind == 5 then put, removed = text:sub(at, at + random(40)), 0 end
    text = text:sub(1, at - 1) .. put .. text:sub(at + removed)
  end
  return text
end

-- An error unless the message is one that was written for people. Behind what tells of a settings() stands its own
-- error, which may be any.
local function for_people(message)
  message = tostring(message):gsub("(does not take the settings in its metadata): .*", "%1")
  for _, word in ipairs { "attempt to", "bad argument", "expected, got", "stack overflow", "invalid option" } do
    if message:find(word, 1, true) then error(("a raw error: %s"):format(message), 0) end
  end
end

-- Runs f for each changed text.
local function each_input(name, text, f)
  if ONLY and ONLY ~= name then return end
  check(name, function()
    for i = FIRST, FIRST + COUNT - 1 do
      math.randomseed(i, #name)
      local input = changed(text)
      local ok, message = xpcall(f, debug.traceback, input)
      if not ok then error(("input %d: %s\n%s"):format(i, message, input:sub(1, 2000)), 0) end
    end
  end)
end

-- ---- a run ----

local folder = os.tmpname()
os.remove(folder)

local function file(name, mode)
  return assert(io.open(folder .. "/" .. name, mode))
end

local function text_of(name)
  local from <close> = file(name, "rb")
  return from:read "a"
end

local function put(name, text)
  local to <close> = file(name, "wb")
  to:write(text)
end

local nn = icl.nn
local model = nn.sequential(nn.global_avg_pool(), nn.linear(1, 2))
local kept = { model = model, optimizer = icl.optim.adam(model), scaler = icl.grad_scaler { enabled = true } }
local set = icl.data.set { images = icl.zeros({ 4, 2, 2, 1 }):cast "u8", labels = icl.tensor({ 0, 1, 0, 1 }):cast "i64",
                           classes = 2, mean = { 0 }, std = { 1 } }
local loader = icl.data.loader(set, { batch_size = 2, training = true })

-- A run of two epochs, of which the second ends in its middle.
local function train()
  local run = icl.run { epochs = 2, output = folder, keep = kept, quiet = true }
  run.memory.list, run.memory[1.5] = { 1, 0 / 0, "\255" }, true
  for epoch in run:epochs() do
    for batch in run:batches(loader) do
      kept.scaler:backward(icl.loss.cross_entropy(model(batch.image), batch.target))
      kept.scaler:step(kept.optimizer, 0.1)
      run:log { loss = 1 }
      if run.step == 2 then run:save() end
      if run.step == 3 then error("the end", 0) end
    end
    run:report { train = run.average, test = { top1 = 0.5, loss = 1, count = 4 } }
  end
end
check.raises(train, "the end")

each_input("options", 'require "icl".rerun {\n  recipe = "r.lua", preset = "p",\n  arguments = { "--seed", "1" },\n'
  .. '  options = { depth = 8, rate = 1e-3, flags = { true, false }, name = [[x]], list = { 1, -2.5 } }, -- y\n}\n',
  function(input)
    local value, message = options_file.parse(input)
    assert(type(value) == "table" or type(message) == "string")
  end)

each_input("reports", text_of "metrics.jsonl", function(input)
  put("metrics.jsonl", input)
  local run = assert(icl.runs.read(folder))
  assert(#tostring(run) > 0 and type(run.problems) == "table")
  for _, name in ipairs { "lr", "test.top1", "train.loss" } do icl.runs.figures.best(run.reports, name) end
  icl.runs.figures.sets(run.reports)
  icl.runs.figures.fields(run.reports)
end)

local path = folder .. "/checkpoints/last.safetensors"
local tensors, metadata = core.safetensors_read(path)
local copies = {}
for i, item in ipairs(tensors) do copies[i] = { name = item.name, tensor = item.tensor + 0 } end
local function restores(input)
  if not utf8.len(input) or input:find "\0" then return end
  core.safetensors_write(path, copies, { icl = input })
  local ok, before = pcall(checkpoint.open, path)
  if not ok then return for_people(before) end
  local run = { name = "run0", last_epoch = 2, kept = kept, loops = {}, loaders = {}, reports = {} }
  local restored, message = pcall(function()
    checkpoint.restore(run, before, input:byte(-1) % 2 == 0)
    checkpoint.notes(run, before)
    reports.new(nil, before.state.best, before.about.figures)
  end)
  if not restored then for_people(message) end
end
each_input("state", metadata.icl, restores)
check("settings of another kind", function()
  restores((metadata.icl:gsub('"scaler":{"options":%[%]}', '"scaler":{"options":1.5}')))
  restores((metadata.icl:gsub('"scaler":{"options":%[%]}', '"scaler":1.5')))
end)

os.execute(("rm -rf '%s'"):format(folder))
check.close()
