-- commands/export.lua: `icl export RUN|FILE --onnx|--safetensors|--npz OUT`: a network for other programs.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local icl = require "icl"
local outputs = require "icl.evaluation.outputs"
local own_files = require "icl.runs.own_files"
local source = require "icl.evaluation.source"
local split = require "icl.options.words".split
local usage = require "icl.internal.usage"
local weights = require "icl.weights"
local weights_metadata = require "icl.run.weights_metadata"

local in_onnx = { "--onnx", function(values) return values.onnx ~= nil end }

local function options_of(words)
  return icl.options "icl export RUN|FILE: a network for other programs; at least one of:"
    : value("onnx", nil, "write an ONNX model, opset 17: images f32 (batch, c, h, w) -> logits", { type = "path" })
    : value("safetensors", nil, "write weights in PyTorch's names and layouts, with a description of the network",
        { type = "path" })
    : value("npz", nil, "write weights in PyTorch's names and layouts for numpy", { type = "path" })
    : flag("normalize", false, "the model takes images from 0 to 1 and normalises them itself", { only = in_onnx })
    : flag("softmax", false, "it gives probabilities instead of logits", { only = in_onnx })
    : include(source.options(words), icl.options.engine)
    : check(function(values)
        if not (values.onnx or values.safetensors or values.npz) then
          return "one of {onnx}, {safetensors} and {npz} must say what to write"
        end
      end)
    : check(own_files.check("onnx", "safetensors", "npz"))
    : example "icl export runs/resnet/001 --onnx resnet.onnx --normalize --softmax"
    : example "icl export pytorch.safetensors --model resnet --depth 20 --safetensors net.safetensors"
end

-- The tensors of the file as they are there, or the averages of them, and the large constants of the description.
local function tensors_of(found, opt)
  local list, names = (opt.ema and weights.averages or weights.read)(found.path), {}
  if #list == 0 then fail("%s holds no weights of a network", core.printable(found.path)) end
  for _, item in ipairs(list) do names[item.name] = true end
  for _, item in ipairs(found.net:constants()) do
    if not names[item.name] then list[#list + 1] = item end
  end
  return list
end

local function by_name(list)
  local found = {}
  for _, item in ipairs(list) do found[item.name] = item.tensor end
  return found
end

local function write_onnx(path, found, opt)
  local bytes = require "icl.export.onnx".bytes(found.net, by_name(found.net:constants()), opt)
  local ok, message = core.file_write(path, bytes)
  if not ok then fail("%s", message) end
end

local function write_npz(path, found, opt)
  local arrays = {}
  for _, item in ipairs(tensors_of(found, opt)) do
    arrays[item.name] = item.tensor:dtype() == "bf16" and item.tensor:float() or item.tensor
  end
  core.npz_write(path, arrays)
end

local function export(word, opt)
  local found = source.network(word, opt)
  outputs.check(found.path, opt, { "onnx", "npz", "safetensors" })
  if opt.onnx then write_onnx(opt.onnx, found, opt) end
  if opt.npz then write_npz(opt.npz, found, opt) end
  if opt.safetensors then
    core.safetensors_write(opt.safetensors, tensors_of(found, opt), weights_metadata(found.net:about()))
  end
  for _, path in ipairs { opt.onnx or false, opt.npz or false, opt.safetensors or false } do
    if path then io.stdout:write(core.printable(path), "\n") end
  end
  return 0
end

-- words: those of the command line behind `export`. -> exit code
return function(words)
  words[0] = "icl export"
  local options = options_of(words)
  local others, own = split(options, words)
  local opt = options:parse(own)
  if #others ~= 1 then
    usage.wrong("icl export", #others == 0 and "which network? icl export RUN|FILE --onnx OUT"
      or ("one network, not %d words; options begin with --"):format(#others))
  end
  return usage.during(opt, export, others[1], opt)
end
