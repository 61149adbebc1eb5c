-- test_options.lua: the command line of a recipe.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function example()
  return icl.options "Example"
    : value("depth", 20, "layers", { min = 8, max = 1001 })
    : value("note", "", "a text")
    : value("limit", nil, "may be left out", { type = "float" })
    : choice("kind", "a", { "a", "bee" }, "a kind")
    : value("each", { true, false }, "switches")
    : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
    : default { base_lr = 0.2 }
    : preset("quick", { epochs = 5, base_lr = 0.3, nesterov = false }, "five epochs")
    : example "icl example.lua --depth 32"
end

local function read(...)
  return example():read { ... }
end

local function message(...)
  local values, text = read(...)
  check.equal(values, nil)
  return text
end

check("defaults, and those a recipe changes", function()
  local opt = read()
  check.equal(opt.depth, 20)
  check.equal(opt.base_lr, 0.2)
  check.equal(opt.milestones[2], 120)
  check.equal(opt.limit, nil)
  check.equal(icl.options.training:defaults().base_lr, 0.1)
end)

check("values in both forms", function()
  local opt = read("--depth", "32", "--base-lr=1", "--milestones", "3,5.5", "--kind=bee", "--note", "--x",
    "--limit", "2")
  check.equal(opt.depth, 32)
  check.equal(math.type(opt.base_lr), "float")
  check.equal(opt.base_lr, 1.0)
  check.equal(opt.milestones[2], 5.5)
  check.equal(opt.kind, "bee")
  check.equal(opt.note, "--x")
  check.equal(opt.limit, 2.0)
  check.equal(opt.each[1], true)
  opt = read("--each", "no,true")
  check.equal(#opt.each, 2)
  check.equal(opt.each[1], false)
  check.equal(opt.each[2], true)
end)

check("flags", function()
  check.equal(read("--no-nesterov").nesterov, false)
  check.equal(read("--eager").eager, true)
  check.equal(read().hflip, nil)
  check.equal(read("--hflip").hflip, true)
  check.equal(read("--no-hflip").hflip, false)
end)

check("what is typed beats a preset wherever it stands", function()
  check.equal(read("--preset", "quick").epochs, 5)
  check.equal(read("--preset=quick").nesterov, false)
  check.equal(read("--epochs", "7", "--preset", "quick").epochs, 7)
end)

check("mistakes are explained", function()
  local function says(text, ...)
    local said = message(...)
    if not said:find(text, 1, true) then error(("'%s' does not say '%s'"):format(said, text), 2) end
  end
  says("no option --epoch (did you mean --epochs?)", "--epoch", "3")
  says("did you mean --no-nesterov?", "--no-nesteov")
  says("--epochs x: it must be an integer", "--epochs", "x")
  says("--epochs 1.5: it must be an integer", "--epochs", "1.5")
  says("--depth 7: it must be at least 8", "--depth=7")
  says("--depth 2000: it must be at most 1001", "--depth=2000")
  says("--base-lr nan", "--base-lr", "nan")
  says("must be one of a, bee", "--kind", "c")
  says("did you mean cosine?", "--schedule", "cosin")
  says("--epochs needs a value", "--epochs")
  says("takes no value", "--nesterov=1")
  says("no preset 'quik' (did you mean quick?)", "--preset", "quik")
  says("a list of numbers", "--milestones", "3,,5")
  says("a list such as yes,no,no", "--each", "yes,maybe")
  says("'foo' is not an option", "foo")
end)

check("help and the list of presets", function()
  local values, text = read("--depth", "32", "--help")
  check.equal(values, false)
  for _, part in ipairs { "Example", "--depth N", "(default 20, 8 to 1001)", "--kind a|bee", "examples:",
                          "--no-nesterov", "--[no-]hflip", "training:", "--each yes,no" } do
    if not text:find(part, 1, true) then error("--help does not show " .. part) end
  end
  check.equal(tostring(example()):find("^Example\n  %-%-depth N +layers %(default 20, 8 to 1001%)\n") ~= nil, true)
  values, text = read("--list-presets")
  check.equal(values, false)
  check.equal(text:find("--base-lr 0.3 --epochs 5 --no-nesterov", 1, true) ~= nil, true)
end)

check("lines are broken at 120 columns", function()
  local options, longest = example(), 0
  options:value("long", "x", ("several marmalades "):rep(20))
  options:preset("much", { milestones = { 1000, 2000, 3000 }, note = ("n"):rep(90), warmup_start_factor = 0.5 },
    ("much of it "):rep(15))
  local _, text = options:read { "--help" }
  local presets = select(2, options:read { "--list-presets" })
  for line in (text .. presets):gmatch "[^\n]+" do longest = math.max(longest, #line) end
  check.equal(longest > 100 and longest <= 120, true)
  local words = select(2, text:gsub("marmalades", ""))
  check.equal(words, 20)
  check.equal(presets:find("\n%s+%-%-milestones 1000,2000,3000 %-%-note\n%s+nnn") ~= nil, true)
end)

check("presets of a table of published errors", function()
  local options = example():published({ { "-5", { epochs = 5 } }, { "-10", { epochs = 10, depth = 8 } } },
    { { "a", { depth = 32 }, 7, 6.5 }, { "b", { kind = "bee" }, false, 5 } })
  check.equal(table.concat(options.preset_order, " "), "quick a-5 a-10 b-10")
  check.equal(options.presets["a-5"].note, "7.00 %")
  local opt = options:read { "--preset", "a-10" }
  check.equal(opt.epochs, 10)
  check.equal(opt.depth, 32)
  opt = options:read { "--preset", "b-10" }
  check.equal(opt.kind .. opt.depth, "bee8")
end)

check("values from a table", function()
  local given = { depth = 32, base_lr = 1, each = { false }, hflip = false }
  local opt = example():complete("example", given)
  check.equal(opt.depth, 32)
  check.equal(math.type(opt.base_lr), "float")
  check.equal(opt.each[1], false)
  check.equal(opt.hflip, false)
  check.equal(opt.limit, nil)
  check.equal(opt.kind, "a")
  local function says(text, values)
    check.raises(function() example():complete("example", values) end, text)
  end
  says("example: depth is 20.5; it must be an integer", { depth = 20.5 })
  says("example: depth is 7; it must be at least 8", { depth = 7 })
  says("kind is b; it must be one of a, bee", { kind = "b" })
  says("each is yes,3; it must be a list such as yes,no,no", { each = { true, 3 } })
  says("nesterov is 1; it must be yes or no", { nesterov = 1 })
  says("there is no option 'dept' %(did you mean depth%?%)", { dept = 3 })
end)

check("those of a group among others", function()
  local values = icl.options.data:select((read("--batch-size", "3")))
  check.equal(values.batch_size, 3)
  check.equal(values.depth, nil)
end)

check("a list under a prefix, with its checks", function()
  local inner = icl.options "inner" : value("low", 1, "", { min = 0 }) : value("high", 2, "")
    : check(function(values) if values.low > values.high then return "{low} must not be above {high}" end end)
  local function outer() return icl.options "outer":include(icl.options "group":add(inner, "range_")) end
  check.equal(outer():read({ "--range-high", "5" }).range_high, 5)
  check.equal(inner:select((outer():read {}), "range_").high, 2)
  local values, text = outer():read { "--range-low", "3" }
  check.equal(values, nil)
  check.equal(text, "--range-low must not be above --range-high")
  check.equal(outer():problem { range_low = 1, range_high = 1 }, nil)
  local wrong = { range_high = 0 }
  check.raises(function() outer():complete("outer", wrong) end, "outer: range_low must not be above range_high")
  check.raises(function() inner:complete("inner", { high = 0 }) end, "inner: low must not be above high")
end)

check("an option that means nothing without another is an error where it is typed", function()
  local function says(text, ...)
    local said = message(...)
    if said ~= text then error(("'%s', not '%s'"):format(said, text), 2) end
  end
  says("--mixup-alpha 0.5 means nothing without --mixup", "--mixup-alpha", "0.5")
  says("--cutout-size 8 means nothing without --cutout or --dual-cutout", "--cutout-size", "8")
  says("--no-nesterov means nothing without --optimizer sgd", "--optimizer", "adam", "--no-nesterov")
  says("--milestones 3 means nothing without --schedule multistep", "--milestones", "3", "--schedule", "cosine")
  says("--lr-min-factor 0.5 means nothing without --schedule linear or cosine or sgdr", "--lr-min-factor", "0.5")
  says("--val-ratio 0.1 means nothing without --no-use-test-as-val", "--val-ratio", "0.1")
  says("--image-size 64 means nothing without --dataset imagenet or folder", "--image-size", "64")
  says("--warmup linear means nothing without --warmup-epochs", "--warmup", "linear")
  says("--warmup-epochs 5 means nothing without --warmup linear or exponential", "--warmup-epochs", "5")
  says("--warmup-exponent 2.0 means nothing without --warmup exponential", "--warmup", "linear", "--warmup-epochs", "1",
    "--warmup-exponent", "2")
  says("--weight-decay-of weights means nothing without a --weight-decay above 0", "--weight-decay-of", "weights",
    "--weight-decay", "0")
  says("--hflip-prob 0.5 means nothing without --hflip", "--hflip-prob", "0.5", "--dataset", "mnist")
  says("--crop-fill 3 means nothing without --crop-padding-mode constant", "--crop-fill", "3", "--crop-padding-mode",
    "edge")
  says("without --use-test-as-val, --val-ratio must say which part of the training images to evaluate on",
    "--no-use-test-as-val")
end)

check("it is none where the other has its value, by default, by a preset or typed", function()
  for _, words in ipairs {
    { "--mixup", "--mixup-alpha", "0.5" }, { "--mixup-alpha", "0.5", "--mixup" }, { "--milestones", "3" },
    { "--dual-cutout", "--cutout-size", "3" }, { "--hflip-prob", "0.5" }, { "--cutout-size", "3", "--preset", "cut" },
    { "--hflip", "--hflip-prob", "0.5", "--dataset", "mnist" }, { "--preset", "loose" },
    { "--warmup", "linear", "--warmup-epochs", "1" }, { "--as-published", "--warmup-epochs", "1" },
    { "--dataset", "folder", "--data", "x", "--image-size", "3", "--crop-area", "0.5,1", "--workers", "1" },
    { "--no-use-test-as-val", "--val-ratio", "0.5" }, { "--no-mixup" }, { "--optimizer", "lars", "--momentum", "0.5" },
  } do
    local options = example():preset("cut", { cutout = true }, ""):preset("loose", { mixup_alpha = 0.5 }, "")
    local values, text = options:read(words)
    if not values then error(table.concat(words, " ") .. ": " .. text, 0) end
  end
end)

check("conditions of one's own, their texts, and those of options under a prefix", function()
  local inner = icl.options "inner" : flag("on", false, "") : value("size", 1, "", { only = { on = true } })
  local function outer()
    return icl.options "outer" : value("kind", "a", "") : add(inner, "in_", { kind = { "b", "c" } })
      : value("odd", 1, "", { only = { "an odd --in-size", function(values) return values.in_size % 2 == 1 end } })
      : flag("off", true, "") : value("depth", 1, "", { only = { { kind = "z", in_on = true }, { off = false } } })
  end
  for text, words in pairs {
    ["--in-size 2 means nothing without --in-on"] = { "--kind", "b", "--in-size", "2" },
    ["--in-on means nothing without --kind b or c"] = { "--in-on" },
    ["--odd 3 means nothing without an odd --in-size"] = { "--kind", "c", "--in-on", "--in-size", "2", "--odd", "3" },
    ["--depth 2 means nothing without --in-on and --kind z or --no-off"] = { "--depth", "2" },
  } do
    check.equal(select(2, outer():read(words)), text)
  end
  check.equal(outer():read({ "--kind", "b", "--in-on", "--in-size", "3", "--odd", "5" }).odd, 5)
  check.equal(outer():read({ "--depth", "3", "--no-off" }).depth, 3)
  local text = select(2, outer():read { "--help" }):gsub("%s+", " ")
  for _, part in ipairs { "--in-size N (default 1; only with --kind b or c; only with --in-on)", "only with an odd" } do
    if not text:find(part, 1, true) then error(("no '%s' in %s"):format(part, text), 0) end
  end
end)

check("milestones move with the epochs unless they are given", function()
  local function milestones(...)
    local values, origin = example():preset("short", { epochs = 50, milestones = { 20, 40 } }, ""):read { ... }
    return table.concat(values.milestones, " "), origin.notes[1]
  end
  check.equal(milestones(), "80 120")
  local moved, note = milestones("--epochs", "20")
  check.equal(moved, "10 15")
  check.equal(note, "milestones at 10,15 of 20 epochs, moved from 80,120 of 160")
  check.equal(milestones("--epochs", "7"), "3.5 5.25")
  check.equal(milestones("--preset", "quick"), "80 120")
  check.equal(milestones("--preset", "short", "--epochs", "5"), "2 4")
  check.equal(milestones("--epochs", "20", "--milestones", "3"), "3")
  check.equal(select(2, milestones("--epochs", "20", "--schedule", "cosine")), nil)
end)

check("a path that begins with ~, and numbers with a comma", function()
  local home = os.getenv "HOME"
  check.equal(read("--data=~/x").data, home and home .. "/x" or "~/x")
  check.equal(read("--data", "~").data, home or "~")
  check.equal(read("--data", "a~/x").data, "a~/x")
  check.equal(read("--note", "~/x").note, "~/x")
  check.equal(message("--base-lr", "0,1"), "--base-lr 0,1: it must be a finite number")
  check.equal(message("--epochs", "1,"), "--epochs 1,: it must be an integer")
end)

check("mistakes in the declaration", function()
  check.raises(function() example():value("depth", 1, "again") end, "declared twice")
  check.raises(function() example():default { dept = 1 } end, "did you mean depth")
  check.raises(function() example():preset("x", { epoch = 1 }) end, "did you mean epochs")
  check.raises(function() example():preset("x", { epochs = 1.5 }) end, "preset x: epochs is 1.5; it must be an integer")
  check.raises(function() example():preset("quick", {}) end, "preset quick was declared twice")
end)

check.close()
