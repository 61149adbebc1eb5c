-- test_options.lua: the command line of a recipe.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local results = require "icl.options.results"

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
  for _, words in ipairs { { "--nesterov=1" }, { "--nesterov", "false" }, { "--no-nesterov", "yes" } } do
    says("takes no value; there are --nesterov and --no-nesterov", table.unpack(words))
  end
  says("no preset 'quik' (did you mean quick?)", "--preset", "quik")
  says("a list of numbers", "--milestones", "3,,5")
  says("a list such as yes,no,no", "--each", "yes,maybe")
  says("'foo' is not an option", "foo")
end)

check("a list without presets has no switches about them", function()
  local options = icl.options "Example" : value("depth", 20, "layers")
  check.equal(select(2, options:read { "--help" }):find "preset", nil)
  check.equal(select(2, options:read { "--preset", "quick" }), "--preset quick: there are no presets")
end)

check("descriptions of options are checked", function()
  for message, f in pairs {
    ["nil is no name of an option; it is written like batch_size"] = function(x) x:value() end,
    ["'two words' is no name of an option"] = function(x) x:value("two words", 1, "") end,
    ["a: help: it takes a text, not nil"] = function(x) x:value("a", 1) end,
    ["a: the default is nil, of which no type follows"] = function(x) x:value("a", nil, "") end,
    ["a: options must be a table, not 5"] = function(x) x:value("a", 1, "", 5) end,
    ["a: there is no option 'mni' %(did you mean min%?%)"] = function(x) x:value("a", 1, "", { mni = 5 }) end,
    ["a: there is no option 'size'; there are min, max, .*alias"] = function(x) x:value("a", 1, "", { size = 5 }) end,
    ["a: a value has no choices; :choice%(name, default, choices, help%) has"] = function(x)
      x:value("a", "b", "", { choices = { "b", "c" } })
    end,
    ["a: type is number; it must be one of integer, float, boolean, string, path, list, flags"] = function(x)
      x:value("a", nil, "", { type = "number" })
    end,
    ["a flag's default: it takes true, false or nil, not 'yes'"] = function(x) x:flag("a", "yes", "") end,
    ["the choices of a: it takes a list of words, not 'b'"] = function(x) x:choice("a", "b", "b") end,
    ["the default of a is b; it must be c"] = function(x) x:choice("a", "b", { "c" }, "") end,
    ["include: it takes groups such as icl.options.data, not 5"] = function(x) x:include(5) end,
    ["parse: it takes the words of the command line, arg, not nil"] = function(x) x:parse() end,
  } do
    check.raises(function() f(icl.options "Example") end, "^tests/lua/.*: options: " .. message)
  end
end)

check("presets and defaults are tables", function()
  check.raises(function() example():preset("fast", "a note", { epochs = 1 }) end,
    "options: preset fast: it takes a table { name = value }, and behind it comes a note, not 'a note'")
  check.raises(function() example():preset { epochs = 1 } end, "options: preset: it takes a name, not a table")
  check.raises(function() example():default(5) end, "options: default: it takes a table { name = value }, not 5")
end)

check("help and the list of presets", function()
  local values, text = read("--depth", "32", "--help")
  check.equal(values, false)
  for _, part in ipairs { "Example", "--depth N", "(default 20, 8 to 1001)", "--kind a|bee", "examples:",
                          "--no-nesterov", "--[no-]hflip", "training:", "--each yes,no",
                          "(default 0.0, 0 to less than 1)" } do
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

-- ---- published figures ----

-- The example with a table of these lines.
local function published(...)
  return example():preset("thin", { depth = 8, kind = "bee" }):results "some %" (table.concat({ ... }, "\n"))
end

local function cell(options, name)
  for _, one in ipairs(options.cells) do
    if one.name == name then return one end
  end
  error("no cell " .. name, 2)
end

local function cell_names(options)
  local list = {}
  for i, one in ipairs(options.cells) do list[i] = one.name end
  return table.concat(list, " ")
end

check("a table of figures: options to the left of the bar, settings to the right", function()
  local options = published("", "  depth  each    | epochs=5  10   schedule=cosine", "",
    "  32     yes,no  | 7.00      6.5  -", "  16     no,no   |  5        -    0.25", "")
  check.equal(cell_names(options), "32/epochs=5 32/epochs=10 16/epochs=5 16/schedule=cosine")
  local opt = options:read { "--result", "32/epochs=10" }
  check.equal(opt.epochs .. " " .. opt.depth .. " " .. tostring(opt.each[1]), "10 32 true")
  check.equal(opt.milestones[1], 80)
  check.equal(results.text(cell(options, "32/epochs=5")), "7.00 %")
  opt = options:read { "--epochs", "7", "--result=16/schedule=cosine", "--base-lr", "3" }
  check.equal(opt.epochs .. opt.schedule .. opt.base_lr, "7cosine3.0")
end)

check("rows of settings, lines above the names, sources, values that go on", function()
  local options = published("dataset=cifar10, no nesterov", "  | mixup, epochs=5  10 (best)  (median of 3)  cutout",
    "plain: | 1 2 3 4", "thin | 5 6 - 7", "ricap, no random_crop  | - - - 8",
    "low: thin, depth=9, base_lr=0.5 | - - 9 -")
  check.equal(cell_names(options), "plain/mixup,epochs=5 plain/mixup,epochs=10 plain/cutout thin/mixup,epochs=5 "
    .. "thin/mixup,epochs=10 thin/cutout ricap,no-random_crop/cutout low/mixup,epochs=10")
  check.equal(results.text(cell(options, "plain/mixup,epochs=10")), "2 % (best), 3 % (median of 3)")
  local opt = options:read { "--result", "low/mixup,epochs=10" }
  check.equal(table.concat({ opt.depth, opt.kind, opt.base_lr, opt.epochs, opt.dataset }, " "), "9 bee 0.5 10 cifar10")
  check.equal(tostring(opt.mixup) .. tostring(opt.nesterov), "truefalse")
  opt = options:read { "--result", "ricap,no_random-crop/cutout" }
  check.equal(tostring(opt.ricap) .. tostring(opt.random_crop) .. tostring(opt.cutout), "truefalsetrue")
end)

check("tabs are blanks, and widths are counted in letters", function()
  local options = published("\t| epochs=5\tmixup (β)", "α:\t|\t1\t2\r", "two: cutout | 3 4")
  check.equal(results.tables(options, {}):match "^.-\n(.-)\n\n", table.concat({
    "              | epochs=5  mixup (β)", "  α:          | 1         2", "  two: cutout | 3         4" }, "\n"))
end)

check("rows of values are called by the first if that tells them apart, else by all", function()
  check.equal(cell_names(published("depth kind | (x)", "8 a | 1", "9 a | 2")), "8 9")
  check.equal(cell_names(published("depth kind | (x)", "8 a | 1", "8 bee | 2")), "8,a 8,bee")
end)

check("mistakes in a table name its line", function()
  local function says(text, ...)
    local lines = { ... }
    local said = check.raises(function() published(table.unpack(lines)) end, "options: results 'some %%'")
    if not said:find(text, 1, true) then error(("'%s' does not say '%s'"):format(said, text), 2) end
  end
  says("line 1, 'dept | (x)': there is no option 'dept' (did you mean depth?)", "dept | (x)", "8 | 1")
  says("line 1, '| epoch=5': there is no option 'epoch' (did you mean epochs?)", "| epoch=5", "plain: | 1")
  says("line 2, '9.5 | 1': depth is 9.5; it must be an integer", "depth | (x)", "9.5 | 1")
  says("line 3, '7 | 1': depth is 7; it must be at least 8", "", "depth | (x)", "8 | 2", "7 | 1")
  says("kind is c; it must be one of a, bee", "| kind=c", "plain: | 1")
  says("'cutuot' is no setting (did you mean cutout?)", "| (x)", "cutuot | 1")
  says("'no ricpa' is no setting (did you mean no ricap?)", "| (x)", "no ricpa | 1")
  says("'think' is no setting (did you mean thin?)", "| (x)", "think | 1")
  says("depth needs a value, depth=...", "depth", "| (x)", "plain: | 1")
  says("line 2, 'plain: | 1': 1 figures in 2 columns, which are two blanks apart or more", "| epochs=5  6",
    "plain: | 1")
  says("epochs is 5 6; it must be an integer", "| epochs=5 6", "plain: | 1 2")
  says("'6' is no setting; there are", "| five: epochs=5  6", "plain: | 1 2")
  says("1 values for the 2 options depth, kind", "depth kind | (x)", "8 | 1")
  says("'1o' is no figure; - stands where there is none", "| (x)", "plain: | 1o")
  says("a row needs a bar", "| (x)", "plain: 1")
  says("there are two bars", "| (x)", "plain: | 1 | 2")
  says("no column to the right of the bar", "depth |", "8 | 1")
  says("a row needs settings or a name", "| (x)", "| 1")
  says("there are no rows", "| (x)")
  says("epochs is set by the row and by column epochs=5", "| epochs=5", "epochs=6 | 1")
  says("mixup_alpha = 0.5 means nothing without mixup = true", "| (x)", "mixup_alpha=0.5 | 1")
  says("line 3, 'b: | 2': column (x) has the settings of a, which has a figure already", "| (x)", "a: | 1", "b: | 2")
  says("column (x) has the settings of a, which has a figure already", "| (x)  (x)", "a: | 1 2")
  says("column epochs=160 has the settings of a/mixup,epochs=160", "mixup", "| mixup, epochs=160  epochs=160",
    "a: | 1 2")
  says("a has other settings above; a name", "| (x)", "a: | 1", "a: mixup | 2")
  check.raises(function() example():results(3) "" end, "options: results: it takes a title, not 3")
  check.raises(function() example():results "some" {} end, "results some: it takes a table of figures in %[%[ %]%]")
  check.raises(function() published("| (x)", "a: | 1"):results "more" "| (x)\nb: | 1" end, "the settings of a,")
end)

check("a result that is not there", function()
  local options = published("depth | epochs=5  6", "32 | 7 6", "16 | 5 4")
  local function says(text, ...)
    local values, said = options:read { ... }
    check.equal(values, nil)
    check.equal(said, text)
  end
  says("there is no result '32/epochs=55' (did you mean 32/epochs=5?); --list-results lists them", "--result",
    "32/epochs=55")
  says("there is no result '32'; there are 32/epochs=5, 32/epochs=6; --list-results lists them", "--result=32")
  says("there is no result '16/6'; there is 16/epochs=6; --list-results lists them", "--result", "16/6")
  says("--result needs a name; --list-results lists them", "--result")
  says("--result is there twice; it can be given once", "--result", "32/epochs=5", "--result", "32/epochs=6")
  check.equal(select(2, example():read { "--list-results" }), "there are no published figures\n")
  check.equal(select(2, example():read { "--help" }):find("--result", 1, true), nil)
  check.equal(select(2, options:read { "--help" }):find("--result ROW/COLUMN", 1, true) ~= nil, true)
end)

check("settings are those of a cell however they were given", function()
  local options = published("kind | epochs=5  mixup", "a | 7 6", "bee | 5 -")
  local function found(...)
    local one = results.cell(options, (options:read { ... }))
    return one and one.name
  end
  check.equal(found(), nil)
  check.equal(found("--result", "bee/epochs=5"), "bee/epochs=5")
  check.equal(found("--epochs", "5", "--milestones", "80,120"), "a/epochs=5")
  check.equal(found("--epochs", "5"), nil)  -- its milestones moved
  check.equal(found("--mixup"), "a/mixup")
  check.equal(found("--mixup", "--seed", "3", "--threads", "2", "--data", "x", "--eval-batch-size", "7", "--eager"),
    "a/mixup")
  check.equal(found("--mixup", "--mixup-alpha", "0.5"), nil)
  check.equal(found("--mixup", "--label-smoothing", "0.1"), nil)
  check.equal(found("--result", "a/mixup", "--base-lr", "0.3"), nil)
  check.equal(results.cell(options, { kind = "bee", epochs = 5, cutout_size = 3 }).name, "bee/epochs=5")
end)

check("tables are shown with what runs reached", function()
  local options = published("no nesterov", "depth kind | epochs=5 (mine)  (theirs)  10", "32 a | 7.0 7.5 -",
    "8 bee | 6 - 5")
  local function ran(name, seed, top1, state)
    local values = options:read { "--result", name, "--seed", tostring(seed) }
    return { options = values, state = state or "finished", reports = { { test = { top1 = 0 } },
      { test = { top1 = top1 } } } }
  end
  local text = results.tables(options, { ran("32/epochs=5", 1, 0.5), ran("32/epochs=5", 1, 0.93),
    ran("32/epochs=5", 2, 0.92), ran("8/epochs=10", 0, 0.9), ran("8/epochs=5", 0, 0.9, "killed"),
    { options = {}, state = "finished", reports = {} } })
  check.equal(text:match "^(.-)\n\n", table.concat({
    "some %", "  no nesterov", "  depth  kind | epochs=5 (mine)  (theirs)  10",
    "  32     a    | 7.0 (7.50 of 2)  7.5       -", "  8      bee  | 6                -         5 (10.00)" }, "\n"))
  check.equal(text:find "its mean over so many seeds" ~= nil, true)
  check.equal(results.tables(options, {}):find "In parentheses", nil)
  local final = ran("8/epochs=10", 0, 0.9)
  final.final = { test = { top1 = 0.75 } }
  check.equal(results.tables(options, { final }):find("5 (25.00)", 1, true) ~= nil, true)
  final.final = { memory = { first = 1 } }
  check.equal(results.tables(options, { final }):find("5 (10.00)", 1, true) ~= nil, true)
end)

-- ---- several seeds ----

check("seeds are a number of them or a list", function()
  local function seeds(...)
    local values, more = read(...)
    return values and table.concat(more.seeds, " ") .. "; " .. table.concat(more.words, " ") or more
  end
  check.equal(seeds("--epochs", "3", "--seeds", "3", "--mixup"), "0 1 2; --epochs 3 --mixup")
  check.equal(seeds("--seeds=7,1,2"), "7 1 2; ")
  for _, wrong in ipairs { "0", "1.5", "-1", "x", "1,1", "", "1001", "1,", "1,-2" } do
    local expected = ("--seeds %s: it must be how many, 1 to 1000, or a list of different seeds such as 1,2,7")
    check.equal(message("--seeds", wrong), expected:format(wrong))
  end
  check.equal(message("--seeds"), "--seeds needs how many, or a list such as 1,2,7")
  check.equal(message("--seed", "1", "--seeds", "2", "--seeds", "3"), "--seeds is there twice; it can be given once")
  local text = select(2, icl.options "none":read { "--seeds", "3" })
  check.equal(text, "there is no option --seeds, since there is no --seed")
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
  says("--no-nesterov means nothing without --optimizer sgd or muon", "--optimizer", "adam", "--no-nesterov")
  says("--milestones 3 means nothing without --schedule multistep", "--milestones", "3", "--schedule", "cosine")
  says("--lr-min-factor 0.5 means nothing without --schedule linear or cosine or sgdr or cosine_restarts or "
    .. "polynomial or plateau", "--lr-min-factor", "0.5")
  says("--sam-adaptive means nothing without a --sam-rho above 0", "--sam-adaptive")
  says("--lookahead-alpha 0.3 means nothing without --lookahead above 0", "--lookahead-alpha", "0.3")
  says("--lion-betas 0.5,0.9 means nothing without --optimizer lion", "--lion-betas", "0.5,0.9")
  says("--restart-steps 5 means nothing without --schedule cosine_restarts", "--restart-steps", "5")
  says("--plateau-patience 5 means nothing without --schedule plateau", "--plateau-patience", "5")
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
  check.raises(function() example():value("seeds", 1, "taken") end, "every list has %-%-seeds; choose another name")
  check.raises(function() example():default { dept = 1 } end, "did you mean depth")
  check.raises(function() example():preset("x", { epoch = 1 }) end, "did you mean epochs")
  check.raises(function() example():preset("x", { epochs = 1.5 }) end, "preset x: epochs is 1.5; it must be an integer")
  check.raises(function() example():preset("quick", {}) end, "preset quick was declared twice")
end)

check("an option may have a short name on the command line", function()
  local function list() return icl.options "Short" : value("base_lr", 0.1, "the rate", { alias = "lr", min = 0 }) end
  check.equal(list():parse({ "--lr", "0.5" }).base_lr, 0.5)
  check.equal(icl.options "Around" : include(list()) : parse({ "--lr=0.5" }).base_lr, 0.5)
  check.equal(icl.options "Around" : add(list(), "first_") : parse({ "--first-base-lr", "2" }).first_base_lr, 2)
  check.raises(function() icl.options "Around" : add(list(), "first_") : parse { "--lr", "2" } end, "no option %-%-lr")
end)

check("what stands before --but gives way to what follows", function()
  local opt, origin = read("--mixup", "--mixup-alpha", "2", "--but", "--no-mixup")
  check.equal(opt.mixup, false)
  check.equal(origin.given.mixup_alpha, nil)
  opt = read("--optimizer", "sgd", "--momentum", "0.8", "--but", "--optimizer", "adam")
  check.equal(opt.optimizer, "adam")
  opt = read("--epochs", "100", "--milestones", "50", "--but", "--epochs", "10")
  check.equal(opt.milestones[1], 5)
  opt, origin = read("--preset", "quick", "--base-lr", "0.7", "--but")
  check.equal(opt.base_lr, 0.7)
  check.equal(origin.presets[1], "quick")
  opt = read("--base-lr", "0.7", "--but", "--preset", "quick")
  check.equal(opt.base_lr, 0.3)
  opt, origin = read("--seed", "1", "--but", "--seeds", "2")
  check.equal(origin.given.seed, nil)
  check.equal(#origin.seeds, 2)
  check.equal(message("--but", "--momentum", "0.8", "--optimizer", "adam"):find("--momentum 0.8 means nothing", 1, true),
    1)
  check.equal(message("--seeds", "2", "--seeds", "3"), "--seeds is there twice; it can be given once")
end)

check("a table of options knows what was read of it", function()
  local unread, tracked = require "icl.options.unread", require "icl.internal.tracked"
  local function given(...) return example():parse { ... } end
  local opt = given("--depth", "56", "--epochs", "7", "--mixup", "--base-lr", "0.25")
  check.equal(opt.epochs + tracked.plain(opt).depth, 63)
  opt.mixup = false
  check.equal(opt.mixup, false)
  check.equal(unread.typed(opt), "--depth, --base-lr have no effect: the program does not read them")
  check.equal(unread.typed(opt), nil)  -- it was told
  check.equal(unread.typed(given("--depth", "56")), "--depth has no effect: the program does not read it")
  check.equal(unread.typed(given("--epochs", tostring(example():defaults().epochs))), nil)
  check.equal(unread.typed { depth = 56 }, nil)
  opt = given("--depth", "56")
  local names = {}
  for name in pairs(opt) do names[name] = true end
  check.equal(names.depth and names.base_lr, true)
  check.equal(unread.typed(opt), nil)
  check.equal(require "icl.repl.print".text(opt):find("batch_size = 128", 1, true) ~= nil, true)
end)

check("declarations that cannot hold are errors", function()
  local function list() return icl.options "x" end
  check.raises(function() list():value("a", 1, "d", { min = 1 }):default { a = "x" } end, "default: a is x; it must be")
  check.raises(function() list():value("a", 1, "d", { min = 1 }):default { a = 0 } end, "a is 0; it must be at least 1")
  check.raises(function() list():value("a", 0, "d", { min = 1 }) end, "the default of a is 0; it must be at least 1")
  check.raises(function() list():value("a", 5, "d", { min = 9, max = 1 }) end, "a: min is 9 and max is 1")
  check.raises(function() list():value("a", 1, "d", { below = 1 }) end, "default of a is 1; it must be less than 1")
  check.raises(function() list():value("a", 1, "d", { min = 1, below = 1 }) end, "a: min is 1 and below is 1")
  check.raises(function() list():flag("x", true, "d"):flag("no_x", true, "d") end, "%-%-no%-x would be two switches")
  check.raises(function() list():flag("no_x", true, "d"):flag("x", true, "d") end, "%-%-no%-x would be two switches")
  check.raises(function() list():include(nil) end, "include: it takes groups .*, not nil")
  check.raises(function() list():value("a", 1, "d"):parse { "--a", 3 } end, "parse: word 2: it takes a text, not 3")
end)

check.close()
