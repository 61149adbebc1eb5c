-- commands/evaluate.lua: `icl evaluate RUN|FILE [options]`: how good a network is, on images it did not learn from.
local core = require "icl.core"
local datasets = require "icl.internal.datasets"
local fail = require "icl.internal.fail"
local figures = require "icl.evaluation.figures"
local icl = require "icl"
local json = require "icl.json"
local sets = require "icl.evaluation.sets"
local source = require "icl.evaluation.source"
local outputs = require "icl.evaluation.outputs"
local own_files = require "icl.runs.own_files"
local predictions = require "icl.evaluation.predictions"
local random = require "icl.random"
local show = require "icl.evaluation.show"
local split = require "icl.options.words".split
local summary = require "icl.nn.summary"
local usage = require "icl.internal.usage"
local utf8_text = require "icl.internal.utf8_text"
local views = require "icl.internal.views"

local in_folder = { dataset = { "imagenet", "folder" } }

local function options_of(words)
  return icl.options "icl evaluate RUN|FILE: loss, accuracies and confusions of a network"
    : choice("dataset", nil, datasets.names, "the images (default: those that it was trained with)")
    : value("data", nil, "their folder (default: of the run; else the standard folders are searched)",
        { type = "path" })
    : choice("split", "test", { "test", "val", "train" },
        "which part of them; of image folders test is DIR/val, but where --split test is typed, DIR/test if it is there")
    : value("batch_size", 256, "images at a time", { min = 1 })
    : choice("tta", "none", views.choices, views.help)
    : value("eval_resize", nil, "the shorter side before the middle is cut out; 0: as it is (default: as trained)",
        { type = "integer", min = 0, max = 16384, only = in_folder })
    : value("workers", 0, "threads that decode; 0: one for each core", { min = 0, max = 1024, only = in_folder })
    : flag("skip_bad_images", false, "go on without files that cannot be read (default: as trained)",
        { only = in_folder })
    : flag("json", false, "print JSON, with the whole confusion matrix")
    : value("csv", nil, "write a file: a line for each class, with what its images were taken for", { type = "path" })
    : value("predictions", nil, "write an .npz file: names, probabilities, truth; without a value into the "
        .. "run's folder", { type = "path" })
    : include(source.options(words), icl.options.engine)
    : check(own_files.check("csv", "predictions"))
    : example "icl evaluate runs/resnet/001 --tta flip"
    : example "icl evaluate weights.safetensors --dataset folder --data photos --json"
    : example "icl evaluate resnet20.safetensors --model resnet --depth 20 --dataset cifar10"
end

local OWN = "predictions.npz"  -- in the folder of a run, where icl report looks for it

-- The words with a value behind a --predictions that has none: the file of the run.
local function with_file(words)
  local list = { [0] = words[0] }
  for i, word in ipairs(words) do
    list[#list + 1] = word
    local following = words[i + 1]
    if word == "--predictions" and (not following or following:sub(1, 2) == "--") then list[#list + 1] = OWN end
  end
  return list, #list > #words
end

-- What is not given is as in the run, or in the file. shape: of the images that the network takes, if it is known.
local function complete(opt, options, about, shape)
  opt.dataset = opt.dataset or about.name
  if not opt.dataset or opt.dataset == "own" then
    fail(opt.model and "{model} does not say which images to use; give {dataset} NAME"
      or "the file does not say which images it was trained with; give {dataset} NAME")
  end
  local origin = usage.origin(opt)
  local problem = origin.list:unmet(opt, origin.given, true)  -- now that the images are known
  if problem then usage.wrong("icl evaluate", problem) end
  local same = opt.dataset == (options.dataset or about.name)
  if not opt.data and same then opt.data = options.data end
  if same and origin.given.skip_bad_images == nil then opt.skip_bad_images = options.skip_bad_images or false end
  local is_own = opt.data == options.data or opt.data and options.data and core.file_same(opt.data, options.data)
  local own = same and (not datasets.folders[opt.dataset] or is_own)
  opt.val_ratio, opt.is_asked_for = own and options.val_ratio or 0, origin.given.split ~= nil
  opt.image_size = math.tointeger(shape and shape[1] or 224) or 224
  opt.grey = shape ~= nil and shape[3] == 1
  if same and options.seed then random.seed(options.seed) end
end

-- The set with the statistics that the network was trained with.
local function as_trained(set, net)
  if not net.mean then return set end
  return setmetatable({ mean = net.mean, std = net.std }, { __index = set })
end

local function names_of(net, set)
  local names = net.class_names or set.class_names or {}
  for i = #names + 1, net.classes do names[i] = tostring(i - 1) end
  return names
end

-- An error about images that the network is not for; a wrong command line where that chose them.
local function misfit(opt, format, ...)
  local given = usage.origin(opt).given
  local name = given.data ~= nil and "data" or given.dataset ~= nil and "dataset" or nil
  if not name then fail(format, ...) end
  fail(("{%s} %%s: "):format(name) .. format, core.printable(opt[name]), ...)
end

local function check_set(net, set, opt)
  if table.concat(net.shape, " x ") ~= table.concat(set.shape, " x ") then
    misfit(opt, "the network takes images of %s, and those of %s are %s", table.concat(net.shape, " x "), set.name,
      table.concat(set.shape, " x "))
  end
  if net.classes ~= set.classes then
    misfit(opt, "the network has %d classes, and %s has %d", net.classes, set.name, set.classes)
  end
  for i, name in ipairs(net.class_names and set.class_names or {}) do
    if utf8_text(name) ~= net.class_names[i] then  -- as a file with a network has them
      misfit(opt, "class %d of the images is %s, and of the network %s", i, core.printable(name),
        core.printable(net.class_names[i]))
    end
  end
end

-- An error where the views of images have a size that the network does not take.
local function check_views(net, tta)
  if not views.crops[tta] or net:about().network.also then return end
  local height, width = views.crop(net.shape[1], net.shape[2])
  fail("{tta} %s: the file does not say that the network takes crops of %d x %d besides images of %d x %d", tta,
    height, width, net.shape[1], net.shape[2])
end

local function progress(count)
  if not core.isatty(2) then return nil end
  return function(seen)
    io.stderr:write(("\r%s of %s images"):format(summary.grouped(seen), summary.grouped(count)),
      seen == count and "\r\27[K" or "")
  end
end

-- The set and its loader.
local function loader_of(net, opt, options)
  local set = as_trained(sets.open(opt, datasets.folders), net)
  check_set(net, set, opt)
  local augment = icl.augment
  local chain = { augment.normalize {} }
  if set.folder then
    local resize = opt.eval_resize or sets.resize(net, set, options)
    table.insert(chain, 1, augment.center_crop { resize = resize })
  end
  return set, icl.data.loader(set, { batch_size = opt.batch_size, chain = augment.chain(chain) })
end

local function write_file(path, text)
  local ok, message = core.file_write(path, text)
  if not ok then fail("%s", message) end
end

-- An error before the work is done where its results cannot be written.
local function check_outputs(opt, where)
  if opt.into_run and not where.run then
    fail "this file is in no folder of a run: {predictions} needs the name of a file"
  end
  if opt.into_run then opt.predictions = where.run .. "/" .. OWN end
  outputs.check(where.path, opt, { "csv", "predictions" })
end

-- Writes the files that are wanted, and tells of them.
local function write_results(opt, of, found, set)
  local function tell(what, path)
    if not opt.json then io.stdout:write(("\n%s: %s\n"):format(what, core.printable(path))) end
  end
  if opt.csv then
    write_file(opt.csv, show.csv(of))
    tell("Table", opt.csv)
  end
  if opt.predictions then
    core.npz_write(opt.predictions, { names = predictions.names(set), probabilities = found.probabilities,
                                      truth = core.new_tensor(found.truth, "i64", { found.count }) })
    tell("Predictions", opt.predictions)
  end
end

local function report(opt, of, where, set)
  if opt.json then
    of.network, of.ema, of.data, of.split = where.path, opt.ema, set.name, opt.split
    return json.encode(of) .. "\n"
  end
  return ("Network: %s%s\nData: %s, %s, %s images, %d classes\n%s"):format(core.printable(where.path),
    opt.ema and ", averages of its weights" or "", set.name, opt.split, summary.grouped(of.count), #of.classes,
    show.text(of))
end

local function evaluate(word, opt)
  local where, set
  if opt.model then
    complete(opt, {}, {}, opt.input)
    set = sets.open(opt, datasets.folders)
    where = source.network(word, opt, set)
  else
    where = source.network(word, opt)
    complete(opt, where.options, where.net:about().data or {}, where.net.shape)
  end
  check_outputs(opt, where)
  check_views(where.net, opt.tta)
  local own_set, loader = loader_of(where.net, opt, where.options)
  local found = predictions.over(where.net, loader, { views = views.of[opt.tta], keep = opt.predictions ~= nil,
                                                      progress = progress(own_set.count) })
  local of = figures.of(found, names_of(where.net, own_set))
  io.stdout:write(report(opt, of, where, own_set))
  write_results(opt, of, found, own_set)
  return 0
end

-- words: those of the command line behind `evaluate`. -> exit code
return function(words)
  words[0] = "icl evaluate"
  local options = options_of(words)
  local completed, into_run = with_file(words)
  local others, own = split(options, completed)
  local opt = options:parse(own)
  opt.into_run = into_run
  if #others ~= 1 then
    usage.wrong("icl evaluate", #others == 0 and "which network? icl evaluate RUN|FILE [options]"
      or ("one network, not %d words; options begin with --"):format(#others))
  end
  return usage.during(opt, evaluate, others[1], opt)
end
