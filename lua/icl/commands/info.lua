-- commands/info.lua: `icl info MODEL [options]`: a model as a tree, with what it costs to run and to train.
local icl = require "icl"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local json = require "icl.json"
local models, summary = icl.models, icl.nn.summary

local function list_models()
  local lines = { "icl info MODEL [options]; `icl info MODEL --help` lists the options of a model", "" }
  for _, name in ipairs(models.names) do
    lines[#lines + 1] = ("  %-18s  %s"):format(name, models[name].options.title)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function options_of(family)
  return icl.options(family.options.title)
    : include(family.options)
    : value("input", nil, "height, width, channels of an image (default 32,32,3; imagenet: 224,224,3)",
        { type = "list", min = 1 })
    : value("classes", nil, "(default 10; imagenet: 1000)", { type = "integer", min = 1 })
    : value("batch_size", 128, "images of a training step", { min = 1 })
    : choice("optimizer", "sgd", icl.optim.from_options.names, "what the memory of a training step is told for")
    : flag("json", false, "print JSON")
    : check(function(values)
        local input = values.input
        if input and not (#input == 3 and math.tointeger(input[1] + input[2] + input[3])) then
          return "{input} must be three whole numbers: height, width, channels"
        end
      end)
end

local dtype_bytes = { f32 = 4, f64 = 8, i64 = 8 }

local function state_bytes(list)
  local bytes = 0
  for _, entry in ipairs(list) do bytes = bytes + entry.state:count() * dtype_bytes[entry.state:dtype()] end
  return bytes
end

-- Bytes that one training step works in, which is planned but not run.
local function step_bytes(model, optimizer, batch_size)
  local images = core.full({ batch_size, table.unpack(model.input) }, 0)
  local labels = core.full({ batch_size }, 0, "i64")
  model:train()
  core.step_begin()
  local cancel <close> = setmetatable({}, { __close = core.step_cancel })
  icl.loss.cross_entropy(model(images), labels):backward()
  optimizer:step(0.1)
  return core.step_memory()
end

-- An optimizer with the options that recipes have unless told otherwise.
local function make_optimizer(name, model)
  local options = icl.options.training:defaults()
  options.optimizer = name
  return icl.optim.from_options(options, model)
end

local function facts_of(model, batch_size, name)
  local layers, optimizer = summary.list(model), make_optimizer(name, model)
  local memory = {
    batch_size = batch_size, optimizer_name = name,
    states = state_bytes(model:named_states()), optimizer = state_bytes(optimizer:named_states()),
    working = step_bytes(model, optimizer, batch_size),
  }
  memory.total = memory.states + memory.optimizer + memory.working
  return {
    model = model.class_name, options = model.settings, parameters = layers[1].parameters, macs = layers[1].macs,
    layers = layers, memory = memory,
  }
end

local function megabytes(bytes)
  return ("%8.1f MB"):format(bytes / 1e6)
end

local function text_of(model, facts)
  local memory, grouped = facts.memory, summary.grouped
  return table.concat({
    summary.text(model), "",
    ("parameters            %s"):format(grouped(facts.parameters)),
    ("multiply-accumulates  %s an image, forward"):format(grouped(facts.macs)),
    ("training step      %s for %d images"):format(megabytes(memory.total), memory.batch_size),
    ("                   %s activations, gradients, scratch of the kernels"):format(megabytes(memory.working)),
    ("                   %s weights and statistics"):format(megabytes(memory.states)),
    ("                   %s what %s keeps"):format(megabytes(memory.optimizer), memory.optimizer_name),
  }, "\n") .. "\n"
end

local function usage_error(message)
  io.stderr:write("icl info: ", message, "\n")
  return 2
end

-- words: the words of the command line behind `info`. -> exit code
return function(words)
  local name = words[1]
  if not name or name == "--help" or name == "-h" then
    io.stdout:write(list_models())
    return 0
  end
  local known = false
  for _, other in ipairs(models.names) do known = known or other == name end
  if not known then
    return usage_error(("there is no model '%s'%s; `icl info` lists them"):format(name,
      arguments.suggestion(name, models.names)))
  end
  local family = models[name]
  local opt = options_of(family):parse(table.move(words, 2, #words, 1, { [0] = "icl info" }))
  local model = models.from_options(opt, { shape = opt.input, classes = opt.classes }, name)
  local facts = facts_of(model, opt.batch_size, opt.optimizer)
  io.stdout:write(opt.json and json.encode(facts) .. "\n" or text_of(model, facts))
  return 0
end
