-- run/shared.lua: an evaluation that is shared out: each process does some of the batches, and at the end each has the
-- averages over all of them, in the order of the batches, so that they are those of one process to the last bit.
local arguments = require "icl.internal.arguments"
local processes = require "icl.internal.processes"

local shared = {}

local PASS, HEAD = "<I4I4ds4", "<s4"

-- shared.note(record, number, images, values): takes down what a pass logged.
function shared.note(record, number, images, values)
  local list = record.passes or {}
  for _, name in ipairs(arguments.names(values)) do
    list[#list + 1] = PASS:pack(number, images, values[name], name)
  end
  record.passes = list
end

-- Adds the values of a text that shared.join made to the passes, by number; -> the signal in it.
local function unpack_into(passes, text)
  local signal, at = HEAD:unpack(text)
  while at <= #text do
    local number, images, value, name
    number, images, value, name, at = PASS:unpack(text, at)
    passes[number] = passes[number] or { images = images, values = {} }
    passes[number].values[name] = value
  end
  return signal ~= "" and signal or nil
end

-- shared.join(record, batches, signal, add): once in all processes, where they have done their parts of so many
-- batches, or came to a signal: makes the record one of all, by add(values, images) for each pass. -> the signal that
-- somebody came to, or nil.
function shared.join(record, batches, signal, add)
  local passes, found = {}, nil
  local own = HEAD:pack(signal or "") .. table.concat(record.passes or {})
  for _, text in ipairs(processes.gather(own)) do found = unpack_into(passes, text) or found end
  for _, values in ipairs { record.last, record.average, record.logged } do
    for name in pairs(values) do values[name] = nil end
  end
  record.images, record.passes = 0, nil
  for number = 1, batches do
    if passes[number] then add(passes[number].values, passes[number].images) end
  end
  return found
end

return shared
