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
  local values = icl.options.data:select(read("--batch-size", "3"))
  check.equal(values.batch_size, 3)
  check.equal(values.depth, nil)
end)

check("a list under a prefix, with its checks", function()
  local inner = icl.options "inner" : value("low", 1, "", { min = 0 }) : value("high", 2, "")
    : check(function(values) if values.low > values.high then return "low must not be above high" end end)
  local function outer() return icl.options "outer":include(icl.options "group":add(inner, "range_")) end
  check.equal(outer():read({ "--range-high", "5" }).range_high, 5)
  check.equal(inner:select(outer():read {}, "range_").high, 2)
  local values, text = outer():read { "--range-low", "3" }
  check.equal(values, nil)
  check.equal(text, "range_low must not be above high")
  check.equal(outer():problem { range_low = 1, range_high = 1 }, nil)
  check.raises(function() outer():complete("outer", { range_high = 0 }) end, "outer: range_low must not be above high")
  check.raises(function() inner:complete("inner", { high = 0 }) end, "inner: low must not be above high")
end)

check("mistakes in the declaration", function()
  check.raises(function() example():value("depth", 1, "again") end, "declared twice")
  check.raises(function() example():default { dept = 1 } end, "did you mean depth")
  check.raises(function() example():preset("x", { epoch = 1 }) end, "did you mean epochs")
  check.raises(function() example():preset("x", { epochs = 1.5 }) end, "preset x: epochs is 1.5; it must be an integer")
  check.raises(function() example():preset("quick", {}) end, "preset quick was declared twice")
end)

check.close()
