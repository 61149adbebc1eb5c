-- sinks/events.lua: event files of TensorBoard: records, events, and the values that a summary holds.
local core = require "icl.core"
local output = require "icl.sinks.output"
local protobuf = require "icl.internal.protobuf"

local events = {}

-- ---- records ----

local function masked_crc(text)
  local crc = core.crc32c(text)
  return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff
end

-- events.record(data) -> a record: length, checksum of the length, data, checksum of the data.
function events.record(data)
  local length = ("<I8"):pack(#data)
  return length .. ("<I4"):pack(masked_crc(length)) .. data .. ("<I4"):pack(masked_crc(data))
end

-- ---- values of a summary ----

local function value(tag, field)
  return protobuf.bytes(1, protobuf.text(1, tag) .. field)
end

-- events.scalar(tag, x) -> a value.
function events.scalar(tag, x)
  return value(tag, protobuf.float(2, x))
end

-- events.image(tag, x): x is u8 (height, width, 1 or 3).
function events.image(tag, x)
  local height, width, channels = table.unpack(x:shape())
  return value(tag, protobuf.bytes(4, protobuf.integer(1, height) .. protobuf.integer(2, width)
    .. protobuf.integer(3, channels) .. protobuf.bytes(4, core.png_encode(x))))
end

-- events.histogram(tag, h): h as core.histogram gives it.
function events.histogram(tag, h)
  return value(tag, protobuf.bytes(5, protobuf.double(1, h.min) .. protobuf.double(2, h.max)
    .. protobuf.double(3, h.num) .. protobuf.double(4, h.sum) .. protobuf.double(5, h.sum_squares)
    .. protobuf.doubles(6, h.limits) .. protobuf.doubles(7, h.counts)))
end

-- events.plugin(tag, plugin, content): what a plugin of TensorBoard reads, without a value.
function events.plugin(tag, plugin, content)
  return value(tag, protobuf.bytes(9, protobuf.bytes(1, protobuf.bytes(1, plugin) .. protobuf.bytes(2, content))))
end

-- ---- files ----

local FILE_VERSION, SUMMARY, SESSION_LOG, START = 3, 5, 7, 1  -- fields of an event, and a status

local function event(time, step, field)
  return events.record(protobuf.double(1, time) .. protobuf.integer(2, step) .. field)
end

local files = 0  -- of this process so far

-- Opens a new file, which begins with its version; one for which the disk has no room does not stay.
local function open_next(folder)
  local process, host = core.process()
  local path = ("%s/events.out.tfevents.%010d.%s.%d.%d"):format(folder, os.time(), host:gsub("/", "_"), process, files)
  local file, reason = output.file(path, "wb")
  if not file then return nil, reason end
  local ok
  file:write(event(os.time(), 0, protobuf.bytes(FILE_VERSION, "brain.Event:2")))
  ok, reason = file:flush()
  if ok then
    files = files + 1
    return file
  end
  file:close()
  os.remove(path)
  return nil, reason
end

local Writer = {}
Writer.__index = Writer

-- events.writer(run, folder) -> a writer. What it writes goes into a new file, and after a failure into another one:
-- the record at the end of the old one may be cut, which readers allow.
function events.writer(run, folder)
  local function open() return open_next(folder) end
  return setmetatable({ output = output.new(run, folder .. "/events.out.tfevents", open) }, Writer)
end

-- writer:add(time, step, values): an event with a summary of these values.
function Writer:add(time, step, values)
  self.output:write(event(time, step, protobuf.bytes(SUMMARY, values)))
end

-- writer:start(time, step): what older files hold of this step and later ones counts no more.
function Writer:start(time, step)
  self.output:write(event(time, step, protobuf.bytes(SESSION_LOG, protobuf.integer(1, START))))
end

function Writer:flush()
  self.output:flush()
end

function Writer:close()
  self.output:close()
end

return events
