-- test_sinks.lua: where the figures and lines of a run go: log.txt, metrics.jsonl, event files.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local core = require "icl.core"
local events = require "icl.sinks.events"
local grid = require "icl.sinks.grid"
local output = require "icl.sinks.output"
local protobuf = require "icl.internal.protobuf"
local values = require "icl.sinks.values"

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

-- An empty folder, folder.path, that goes away at the end of the block: `local folder <close> = new_folder()`.
local function new_folder()
  local path = os.tmpname()
  os.remove(path)
  os.execute(("mkdir '%s'"):format(path))
  return setmetatable({ path = path }, { __close = function() os.execute(("rm -r '%s'"):format(path)) end })
end

-- What sinks need of a run; `warnings` has what they warned of.
local function stand_in(fields)
  local run = { warnings = {}, epoch = 1, last_epoch = 2, step = 0, last = {}, average = {} }
  for name, value in pairs(fields or {}) do run[name] = value end
  function run:warn(text) self.warnings[#self.warnings + 1] = text end
  return run
end

-- Replaces fields of a table until the end of the block.
local function with(where, fields)
  local old = {}
  for name, value in pairs(fields) do old[name], where[name] = where[name], value end
  return setmetatable({}, { __close = function()
    for name in pairs(fields) do where[name] = old[name] end
  end })
end

-- ---- bytes of event files ----

check("fields of messages", function()
  check.equal(hex(protobuf.integer(1, 300)), "08ac02")
  check.equal(hex(protobuf.integer(2, 0)), "1000")
  check.equal(hex(protobuf.integer(2, -1)), "10" .. ("ff"):rep(9) .. "01")
  check.equal(hex(protobuf.integer(20, math.maxinteger)), "a001" .. ("ff"):rep(8) .. "7f")
  check.equal(hex(protobuf.double(1, 1.5)), "09000000000000f83f")
  check.equal(hex(protobuf.float(2, 0.5)), "150000003f")
  check.equal(hex(protobuf.bytes(3, "ab")), "1a026162")
  check.equal(hex(protobuf.doubles(6, { 1.5 })), "3208000000000000f83f")
  check.equal(hex(protobuf.doubles(6, {})), "3200")
end)

check("checksums and records", function()
  check.equal(core.crc32c "", 0)
  check.equal(core.crc32c "123456789", 0xe3069283)
  check.equal(core.crc32c(("\0"):rep(32)), 0x8a9136aa)
  check.equal(core.crc32c(("\xff"):rep(32)), 0x62a8ab43)
  local event = protobuf.double(1, 1.5) .. protobuf.integer(2, 3) .. protobuf.bytes(5, events.scalar("a", 0.5))
  check.equal(hex(events.record(event)),
    "1700000000000000e7cef81e09000000000000f83f10032a0a0a080a0161150000003fde5768cd")
end)

-- Of these values as core.histogram counts them, by looking at every edge.
local function counted(list)
  local edges, edge = { 0 }, 1e-12
  while edge < 1e20 do
    table.insert(edges, 1, -edge)
    edges[#edges + 1] = edge
    edge = edge * 1.1
  end
  local result = {}
  for _, x in ipairs(list) do
    for i = 2, #edges do
      if x < edges[i] or i == #edges then
        result[edges[i]] = (result[edges[i]] or 0) + 1
        break
      end
    end
  end
  return result
end

check("histograms", function()
  local list = { 0, 0, 1, -1, 2, 1e-13, -1e-13, 1e-12, -1e-12, 1.1e-12, 3e38, 0.05, 0.055 }
  for _, x in ipairs((icl.random.normal { 200 } * 0.1):totable()) do list[#list + 1] = x end
  local tensor = icl.tensor(list)
  local h, expected = core.histogram(tensor), counted(tensor:totable())
  local sum = 0
  for i, limit in ipairs(h.limits) do
    check.equal(h.counts[i], expected[limit] or 0)
    sum = sum + h.counts[i]
  end
  check.equal(sum, #list)
  check.equal(h.num, #list)
  check.equal(h.counts[1], 0)
  check.equal(h.counts[2] > 0 and h.counts[#h.counts] > 0, true)
  check.equal(h.min, -1)
  check.near(h.max, 3e38, 1e32)
end)

check("histograms of sums, of values that are not finite, and of nothing", function()
  local h = core.histogram(icl.tensor { 1, 2, 0 / 0, 1 / 0, -1 / 0 })
  check.equal(h.num, 2)
  check.equal(h.sum, 3)
  check.equal(h.sum_squares, 5)
  check.equal(core.histogram(icl.tensor { 0 / 0 }), nil)
  check.equal(core.histogram(icl.zeros { 0 }), nil)
  check.equal(core.histogram(icl.state(icl.ones { 3 })).num, 3)
end)

-- ---- pictures ----

check("a grid of images", function()
  local pixels = {}
  for i = 1, 9 do pixels[i] = { { { i }, { i + 2 } }, { { i + 1 }, { i + 4 } } } end
  local picture = grid(icl.tensor(pixels))
  check.equal(table.concat(picture:shape(), " "), "10 34 1")
  check.equal(picture:dtype(), "u8")
  local rows = picture:totable()
  local function at(y, x) return rows[y + 1][x + 1][1] end
  check.equal(at(2, 2), 0)
  check.equal(at(2, 3), 127)    -- truncated
  check.equal(at(3, 2), 63)
  check.equal(at(3, 3), 255)
  check.equal(at(3, 7), 255)    -- the image beside it
  check.equal(at(7, 3), 255)    -- and below
  check.equal(at(7, 7), 0)      -- there is no tenth
  check.equal(at(1, 3) + at(3, 1) + at(3, 4) + at(9, 3) + at(3, 33), 0)
end)

check("grids of few, of even and of large images", function()
  check.equal(table.concat(grid(icl.ones { 3, 5, 4, 3 }):shape(), " "), "9 20 3")
  check.equal(grid(icl.full({ 1, 2, 2, 1 }, 7)):max():item(), 0)
  check.equal(grid(icl.tensor { { { { 0 }, { 2e-6 } } } }):max():item(), 51)  -- not all of so small a range
  check.equal(table.concat(grid(icl.zeros { 18, 500, 500, 1 }):shape(), " "), "504 4018 1")
end)

-- ---- outputs ----

check("a write that fails is told once, and tried again", function()
  local run, opened = stand_in(), 0
  local full = output.new(run, "FILE", function()
    opened = opened + 1
    return output.file("/dev/full", "wb")
  end)
  full:write "text"
  check.equal(full:flush(), false)
  full:write "text"
  check.equal(full:flush(), false)
  check.equal(opened, 2)
  check.equal(#run.warnings, 1)
  check.equal(run.warnings[1], "FILE cannot be written: No space left on device; the run goes on without it")
  full:close()
end)

check("a warning that comes back to a sink that cannot write", function()
  local run = stand_in { folder = "/nonexistent/folder" }
  local text = icl.sinks.text()
  function run:warn(warning)
    self.warnings[#self.warnings + 1] = warning
    text:line(warning)
  end
  text:open(run)
  text:line "a line"
  text:line "another"
  text:close { state = "finished" }
  check.equal(#run.warnings, 1)
  check.equal(run.warnings[1]:find("/nonexistent/folder/log.txt cannot be written", 1, true), 1)
end)

check("without a folder sinks write nothing", function()
  for _, name in ipairs { "text", "jsonl", "tensorboard" } do
    local sink, run = icl.sinks[name](), stand_in()
    sink:open(run)
    if sink.line then sink:line "a line" end
    if sink.report then sink:report { epoch = 1, step = 1, time = 0 } end
    sink:close { state = "finished" }
    check.equal(#run.warnings, 0)
  end
end)

-- ---- log.txt ----

check("lines with the time", function()
  local folder <close> = new_folder()
  local function log(...)
    local sink = icl.sinks.text()
    sink:open(stand_in { folder = folder.path })
    for _, line in ipairs { ... } do sink:line(line) end
    sink:close {}
  end
  log("one", "two\nthree")
  local stamp = "%[%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%] "
  local pattern = ("^%sone\n%stwo\n%sthree\n$"):format(stamp, stamp, stamp)
  check.equal(read(folder.path .. "/log.txt"):find(pattern), 1)
  write(folder.path .. "/log.txt", "cut li")
  log "more"
  log "still more"
  check.equal(read(folder.path .. "/log.txt"):find(("^cut li\n%smore\n%sstill more\n$"):format(stamp, stamp)), 1)
end)

-- ---- metrics.jsonl ----

local function report(epoch, more)
  local record = { epoch = epoch, step = 10 * epoch, time = 1.5, train = { loss = 1 / epoch } }
  for name, value in pairs(more or {}) do record[name] = value end
  return record
end

-- A sink over the folder that was resumed at `step`, or nil.
local function open_jsonl(folder, step)
  local sink = icl.sinks.jsonl()
  if step then sink:cut(step) end
  sink:open(stand_in { folder = folder.path, resumed_step = step })
  return sink
end

local function lines_of(folder)
  local lines = {}
  for line in read(folder.path .. "/metrics.jsonl"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

check("a line for each report, and one for the end", function()
  local folder <close> = new_folder()
  local sink = open_jsonl(folder)
  sink:report(report(1))
  check.equal(#lines_of(folder), 1)  -- it is there at once
  sink:report(report(2, { train = { loss = 0 / 0, top1 = -1 / 0 } }))
  sink:close { state = "finished", epoch = 2, step = 20 }
  local lines = lines_of(folder)
  check.equal(lines[1], '{"epoch":1,"step":10,"time":1.5,"train":{"loss":1.0}}')
  check.equal(lines[2], '{"epoch":2,"step":20,"time":1.5,"train":{"loss":null,"top1":null}}')
  check.equal(lines[3], '{"epoch":2,"state":"finished","step":20}')
  check.equal(#lines, 3)
end)

check("what was written behind the resumed step goes as soon as the file is opened", function()
  local folder <close> = new_folder()
  local sink = open_jsonl(folder)
  for epoch = 1, 4 do sink:report(report(epoch)) end
  sink:close { state = "stopped", step = 40 }
  sink = open_jsonl(folder, 25)
  check.equal(#lines_of(folder), 2)
  sink:report(report(3))
  check.equal(#lines_of(folder), 3)
  check.equal(icl.json.decode(lines_of(folder)[3]).epoch, 3)
end)

check("a finished run that is prolonged has its end behind it", function()
  local folder <close> = new_folder()
  local sink = open_jsonl(folder)
  sink:report(report(1))
  sink:close { state = "finished", epoch = 1, step = 10 }
  sink = open_jsonl(folder, 10)
  sink:report(report(2))
  check.equal(#lines_of(folder), 2)
end)

check("a report that comes once more takes the place of the old one", function()
  local folder <close> = new_folder()
  local sink = open_jsonl(folder)
  sink:report(report(1))
  sink:report(report(2))
  sink:report(report(2, { test = { loss = 7 } }))
  sink = open_jsonl(folder, 20)
  check.equal(#lines_of(folder), 3)
  sink:report(report(2, { time = 9.5 }))
  check.equal(#lines_of(folder), 3)
  sink:report(report(2, { test = { loss = 8 } }))
  sink:report(report(2, { test = { loss = 9 } }))  -- the run's own habit, not a repetition
  local lines = lines_of(folder)
  check.equal(#lines, 4)
  check.equal(icl.json.decode(lines[1]).epoch, 1)
  check.equal(icl.json.decode(lines[2]).time, 9.5)
  check.equal(icl.json.decode(lines[3]).test.loss, 8)
end)

check("a file that was cut anywhere", function()
  local folder <close> = new_folder()
  local path = folder.path .. "/metrics.jsonl"
  local sink = open_jsonl(folder)
  sink:report(report(1))
  local first = read(path)
  sink:report(report(2))
  sink:close { state = "finished", step = 20 }
  local whole = read(path)
  for length = #first, #whole do
    write(path, whole:sub(1, length))
    sink = open_jsonl(folder, 10)
    check.equal(read(path), first)
    sink:report(report(2))
    check.equal(#lines_of(folder), 2)
    sink:close { state = "finished", step = 20 }
  end
end)

check("after a write that failed, the next one begins a line", function()
  local folder <close> = new_folder()
  local path = folder.path .. "/metrics.jsonl"
  local sink = open_jsonl(folder)
  sink:report(report(1))
  local first = read(path)
  write(path, first .. '{"epoch":2,"st')  -- as far as the disk had room
  sink.output:close()
  sink:report(report(3))
  local lines = lines_of(folder)
  check.equal(#lines, 2)
  check.equal(icl.json.decode(lines[2]).epoch, 3)
end)

-- ---- values ----

check("names of values", function()
  check.equal(values.tag "top5", "Acc5")
  check.equal(values.tag "images_per_second", "ImagesPerSecond")
  check.equal(values.tag "test_ema", "TestEma")
  check.equal(values.tag "test ema", "TestEma")
  check.equal(table.concat(values.names { z = 1, lr = 1, loss = 2, a = 3, text = "x" }, " "), "loss lr a z")
  local loop = { number = 7, loader = { batches = 9, training = true } }
  local run = { epoch = 2, last = { loss = 1, lr = 0.1, top1 = 0.5, own = 3 },
                average = { loss = 1.5, lr = 9, top1 = 0.25, own = 4 } }
  check.equal(values.line(run, loop),
    "Epoch 2 Step 7/9 lr 0.1 loss 1.0000 (1.5000) acc@1 0.5000 (0.2500) own 3.0000 (4.0000)")
  check.equal(values.is_due(loop, 7), true)
  check.equal(values.is_due(loop, 2), false)
  check.equal(values.is_due(loop, 0), false)
  check.equal(values.is_due({ number = 7, loader = { batches = 9 } }, 7), false)
end)

-- ---- in a run ----

local function make_set(count)
  local bytes, labels = {}, {}
  for k = 1, count * 6 * 6 do bytes[k] = string.char(k * k % 251) end
  for k = 1, count do labels[k] = k % 2 end
  return icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { count, 6, 6, 1 } }),
                        labels = icl.tensor(labels, { dtype = "i64" }), classes = 2, mean = { 0.5 }, std = { 0.2 } }
end

local augment = icl.augment
local chains = {
  mixed = augment.chain { augment.random_crop { padding = 2 }, augment.hflip {}, augment.normalize {},
                          augment.mixup { alpha = 1 },
                          function(batch, rng) batch.image = batch.image + rng:normal(batch.image:shape()) end },
  views = augment.chain { augment.random_crop { padding = 2 }, augment.normalize {}, augment.dual_cutout { size = 2 } },
}

-- Two epochs, of which `sink` is told; -> the losses, and the images of the first pass.
local function small_run(chain, sink)
  icl.random.seed(3)
  local nn = icl.nn
  local model = nn.sequential { nn.flatten(), nn.dropout(0.5), nn.linear(36, 2) }
  local loader = icl.data.loader(make_set(20), { batch_size = 8, training = true, chain = chain })
  local run, losses, first = icl.run { epochs = 2, model = model, sinks = { sink } }, {}, nil
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      local image = type(batch.image) == "table" and batch.image[1] or batch.image
      if not first then first = image:keep() end
      local loss = icl.loss.cross_entropy(model(image), batch.target)
      loss:backward()
      run:log { loss = loss }
      losses[#losses + 1] = loss:keep()
    end
    losses[#losses + 1] = icl.random.uniform { 1 }
  end
  for i, loss in ipairs(losses) do losses[i] = loss:item() end
  return losses, first
end

check("the picture has the images of the first pass, and moves no draw", function()
  for _, chain in pairs(chains) do
    local pictures = {}
    local replaced <close> = with(core, { png_encode = function(x)
      pictures[#pictures + 1] = x
      return "PNG"
    end })
    local folder <close> = new_folder()
    local sink = icl.sinks.tensorboard { log_period = 1 }
    sink:open(stand_in { folder = folder.path })
    local losses, first = small_run(chain, { turn = function(_, run, loop) sink:turn(run, loop) end })
    sink:close { state = "finished", step = 4, time = 1 }
    local plain = small_run(chain)
    check.equal(table.concat(losses, " "), table.concat(plain, " "))
    check.equal(#pictures, 1)
    check.equal((pictures[1]:cast "f32" - grid(first):cast "f32"):abs():max():item() <= 1, true)
  end
end)

check("an event file that cannot even begin does not stay", function()
  local folder <close> = new_folder()
  local run = stand_in { folder = folder.path }
  local replaced <close> = with(output, { file = function(path)
    io.open(path, "wb"):close()
    return io.open("/dev/full", "wb")
  end })
  local sink = icl.sinks.tensorboard()
  sink:open(run)
  for epoch = 1, 3 do sink:report(report(epoch)) end
  sink:close { state = "finished", step = 30, time = 2 }
  check.equal(#core.list_folder(folder.path), 0)
  check.equal(#run.warnings, 1)
end)

check("a folder in the place of a file", function()
  local folder <close> = new_folder()
  os.execute(("mkdir '%s/metrics.jsonl' '%s/log.txt'"):format(folder.path, folder.path))
  local run = stand_in { folder = folder.path }
  for _, sink in ipairs { icl.sinks.text(), icl.sinks.jsonl() } do
    sink:open(run)
    if sink.line then sink:line "text" end
    sink:close { state = "failed", step = 0 }
  end
  check.equal(#run.warnings, 2)
  for _, warning in ipairs(run.warnings) do
    check.equal(warning:find "cannot be written: Is a directory; the run" ~= nil, true)
  end
end)

check("a chain that cannot be applied twice costs the picture alone", function()
  local calls = 0
  local chain = augment.chain { augment.normalize {}, function()
    calls = calls + 1
    if calls == 2 then error "once only" end
  end }
  local folder <close> = new_folder()
  local run, sink = stand_in { folder = folder.path }, icl.sinks.tensorboard()
  sink:open(run)
  local losses = small_run(chain, { turn = function(_, real, loop)
    sink:turn(setmetatable(run, { __index = real }), loop)
  end })
  check.equal(#run.warnings, 1)
  check.equal(run.warnings[1]:find "there is no picture of the first batch: .*once only" ~= nil, true)
  check.equal(table.concat(losses, " "), table.concat(small_run(augment.chain { augment.normalize {} }), " "))
end)

check("a sink may warn while a run opens it", function()
  local lines = {}
  icl.run { quiet = true, sinks = { { open = function(_, run) run:warn "careful" end,
                                      line = function(_, text) lines[#lines + 1] = text end } } }
  check.equal(lines[1]:find("careful", 1, true) ~= nil, true)
end)

check("sinks of options", function()
  local function of(given)
    return icl.sinks.from_options(icl.options "x":include(icl.options.logging):complete("x", given))
  end
  check.equal(#of {}, 4)
  check.equal(#of { tensorboard = false }, 3)
  check.equal(#icl.sinks.from_options {}, 4)
  check.raises(function() icl.sinks.from_options() end, "icl.sinks.from_options: it takes a table of options, not nil")
  check.raises(function() icl.sinks.from_options({}, { quite = true }) end, "did you mean quiet")
end)

check("an event file that fails is followed by another one", function()
  local folder <close> = new_folder()
  local run = stand_in { folder = folder.path, model = icl.nn.linear(2, 3) }
  local sink = icl.sinks.tensorboard { histograms = true, options = { seed = 1 } }
  sink:open(run)
  sink.writer.output.file:close()
  sink.writer.output.file = io.open("/dev/full", "wb")
  sink:report(report(1))
  check.equal(#run.warnings, 1)
  sink:report(report(2))
  sink:close { state = "finished", step = 20, time = 2 }
  check.equal(#run.warnings, 1)
  local files = {}
  for _, name in ipairs(core.list_folder(folder.path)) do files[#files + 1] = read(folder.path .. "/" .. name) end
  table.sort(files, function(a, b) return #a < #b end)
  check.equal(#files, 2)
  check.equal(files[2]:find("brain.Event:2", 1, true) ~= nil, true)
  check.equal(files[2]:find("Train/Loss", 1, true) ~= nil, true)
end)

check("options of logging that have no effect are errors", function()
  local function problem(...)
    local list = icl.options "x":include(icl.options.logging):value("output", "", "a folder, or none")
    local _, message = list:read { ... }
    return message
  end
  check.equal(type(problem("--histograms", "--log-period", "0")), "table")
  check.equal(problem("--histograms", "--output", "none"),
    "--histograms means nothing without --tensorboard and an --output folder")
  check.equal(problem("--histograms", "--no-tensorboard"),
    "--histograms means nothing without --tensorboard and an --output folder")
  check.equal(problem("--no-tensorboard", "--output", "none"),
    "--no-tensorboard means nothing without an --output folder")
  check.equal(problem("--log-period", "-1"), "--log-period -1: it must be at least 0")
end)

check.close()
