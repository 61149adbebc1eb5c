-- test_report.lua: what the reports about runs are made of: statistics, groups, axes, thinned curves, markup, mistakes.
local here = arg[0]:match "^(.*/)" or "./"
local check = dofile(here .. "check.lua")
local folders = dofile(here .. "run_folders.lua")
local core = require "icl.core"
local icl = require "icl"
local axes = require "icl.chart.axis"
local chart_lines = require "icl.chart.text"
local grid = require "icl.internal.grid"
local groups = require "icl.report.groups"
local markup = require "icl.internal.markup"
local pictures = require "icl.report.pictures"
local predictions = require "icl.report.predictions"
local report = require "icl.report"
local split = require "icl.options.words".split
local statistics = require "icl.runs.statistics"
local svg = require "icl.chart.svg"
local thin = require "icl.chart.thin"

local root = os.tmpname()
os.remove(root)

local function contains(text, ...)
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then error(("'%s' is not in:\n%s"):format(part, text:sub(1, 4000)), 2) end
  end
end

check("Student's t, as tables have it", function()
  for _, row in ipairs { { 1, 12.7062 }, { 2, 4.3027 }, { 3, 3.1824 }, { 4, 2.7764 }, { 9, 2.2622 }, { 30, 2.0423 },
                         { 1000, 1.9623 } } do
    check.near(statistics.quantile(row[1], 0.95), row[2], 1e-4)
  end
  check.near(statistics.quantile(4, 0.99), 4.6041, 1e-4)
end)

check("mean, deviation and interval", function()
  local s = statistics.summary { 4.0, 4.2, 4.4 }
  check.near(s.mean, 4.2, 1e-12)
  check.near(s.deviation, 0.2, 1e-12)
  check.near(s.high, 4.2 + 4.3027 * 0.2 / math.sqrt(3), 1e-4)
  check.near(s.low, 4.2 - 4.3027 * 0.2 / math.sqrt(3), 1e-4)
  check.equal(statistics.summary { 3 }.deviation, nil)
  check.equal(statistics.summary {}, nil)
end)

check("runs that differ in the seed alone are one group", function()
  for seed = 1, 3 do folders.finished(("%s/wrn/%03d"):format(root, seed), { lr = 0.1, seed = seed }, { 0.5, 0.9 }) end
  folders.finished(root .. "/wrn/004", { lr = 0.2, seed = 1, threads = 3 }, { 0.5, 0.8 })
  folders.finished(root .. "/vgg/001", { lr = 0.2, mixup = true, seed = 1 }, { 0.7 }, { recipe = "recipes/vgg.lua" })
  local list = groups.of(icl.runs.list(root))
  check.equal(#list, 3)
  check.equal(list[1].title, "vgg")
  check.equal(list[2].title, "wrn lr=0.1")
  check.equal(list[3].title, "wrn lr=0.2")
  check.equal(#list[2].runs, 3)
  check.equal(table.concat(groups.differing(list), " "), "lr mixup")
  local measured = groups.measured(list[2])
  check.near(measured.best.mean, 10, 1e-9)
  check.near(measured.last.deviation, 0, 1e-9)
  check.equal(measured.final, nil)
  check.near(groups.measured(list[3], "test.loss").last.mean, 1.3, 1e-9)
end)

check("options that change no result tell no runs apart", function()
  local place, options = root .. "/apart/", { lr = 0.1 }
  folders.finished(place .. "a/001", options, { 0.5 })
  local others = { eval_batch_size = 7, tensorboard = false, histograms = true, skip_bad_images = true, precise = true,
                   data = "elsewhere", workers = 3, threads = 3, device = "ref", eager = true, profile = true,
                   check_nan = true, deterministic = true, log_period = 9, save_every = "2h", keep = 3, seed = 8 }
  for name, value in pairs(others) do
    folders.finished(place .. "a/" .. name, { lr = 0.1, [name] = value }, { 0.5 })
  end
  local list = groups.of(icl.runs.list(place))
  check.equal(table.concat(groups.differing(list), " "), "")
  check.equal(#list, 1)
  for _, name in ipairs { "batch_size", "precision", "val_period", "tta", "ema", "subdivision" } do
    folders.finished(place .. "b/" .. name, { lr = 0.1, [name] = 2 }, { 0.5 })
  end
  check.equal(#groups.of(icl.runs.list(place)), 7)
end)

check("axes have round ends and ticks", function()
  local axis = axes.new(0.13, 4.2)
  check.equal(axis.low, 0.0)
  check.equal(axis.high, 5.0)
  check.equal(table.concat(axis.ticks, " "), "0.0 1.0 2.0 3.0 4.0 5.0")
  check.equal(axis:label(3.0), "3")
  check.equal(axes.new(0, 0.05):label(0.01), "0.01")
  check.equal(table.concat(axes.new(1, 160, { exact = true, whole = true }).ticks, " "), "50.0 100.0 150.0")
  check.equal(table.concat(axes.new(1, 3, { exact = true, whole = true }).ticks, " "), "1.0 2.0 3.0")
  axis = axes.new(0.03, 2.2, { log = true })
  check.equal(axis.log, true)
  check.equal(axis.low, 0.02)
  check.equal(axis.high, 5.0)
  check.near(axis:at(math.sqrt(0.02 * 5)), 0.5, 1e-12)
  check.equal(axes.new(0, 2, { log = true }).log, false)
  for _, ends in ipairs { { 0, 0 }, { 1, 1 }, { -3, -3 }, { 1e-300, 1e-300 }, { 1e150, 1e150 }, { 0, 5e-324 },
                          { 5e-324, 5 }, { -1e150, 1e150 }, { 1, 1 + 1e-15 } } do
    axis = axes.new(ends[1], ends[2], { log = true })
    assert(axis.low < axis.high and #axis.ticks > 1 and #axis.ticks < 20, "an axis without ticks")
    for _, tick in ipairs(axis.ticks) do assert(not axis:label(tick):find "n", axis:label(tick)) end
    assert(axis:at(ends[2]) <= 1, "a value outside of its axis")
  end
  check.equal(select(3, axes.extent { { 1, 13 }, {} }), true)
  check.equal(select(3, axes.extent { { 0, 13 } }), false)
  check.equal(axes.extent {}, nil)
end)

check("curves are thinned and keep their extremes", function()
  local xs, ys = {}, {}
  for i = 1, 1800 do xs[i], ys[i] = i, math.sin(i / 50) end
  ys[777], ys[1234] = 9, -9
  local new_xs, new_ys = thin(xs, ys, 250)
  assert(#new_xs <= 502 and #new_xs == #new_ys, "too many points")
  check.equal(new_xs[1], 1)
  check.equal(new_xs[#new_xs], 1800)
  local at = {}
  for i, x in ipairs(new_xs) do
    at[x] = new_ys[i]
    assert(i == 1 or x > new_xs[i - 1], "the points do not ascend")
  end
  check.equal(at[777], 9)
  check.equal(at[1234], -9)
  check.equal(#thin({ 1, 2, 3 }, { 1, 2, 3 }, 250), 3)
end)

check("texts between tags stand for themselves", function()
  check.equal(markup.escape "<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;")
  check.equal(markup.escape "a\nb\27[31m\255", "a\nb\\x1b[31m\\xff")
  check.equal(markup.fill("$(raw) ($text)", { raw = "<b>$text</b>", text = "<$raw>" }), "<b>$text</b> (&lt;$raw&gt;)")
  check.raises(function() markup.fill("$x", {}) end, "no value for x")
end)

check("a table for the terminal", function()
  check.equal(grid { { "run", "n" }, { "é\27", "12" }, { "bcd", "3" } }, "run     n\né\\x1b  12\nbcd     3\n")
end)

check("words of a command line that are no options", function()
  local list = icl.options "x" : value("out", nil, "", { type = "path" }) : flag("csv", false, "")
  local others, own = split(list, { [0] = "x", "a", "--out", "b", "--csv", "c", "--out=d", "--", "--e" })
  check.equal(table.concat(others, " "), "a c --e")
  check.equal(table.concat(own, " "), "--out b --csv --out=d")
  check.equal(own[0], "x")
end)

check("a chart of text", function()
  local style = { braille = false, paint = function(text) return text end }
  local series = { epochs = { 1, 5, 10 }, values = { 3, 2, 1 }, number = 1 }
  local chart = { title = "Loss", epochs = 10, series = { series } }
  local lines = chart_lines(chart, 60, 12, style)
  check.equal(#lines, 12)
  for _, line in ipairs(lines) do check.equal(#line, 60) end
  contains(table.concat(lines, "\n"), "Loss", "3 |", "*", "10")
  contains(table.concat(chart_lines({ title = "Loss", series = {} }, 60, 12, style)), "no figures yet")
  for _, size in ipairs { { 1, 1 }, { 10, 3 }, { 20, 4 } } do chart_lines(chart, size[1], size[2], style) end
end)

check("a chart as a picture", function()
  local picture, logarithmic = svg.svg { title = "<Loss>", series = {
    { name = "a & b", colour = 9, xs = { 1, 2, 3 }, ys = { 100, 10, 1 },
      band = { xs = { 1, 2 }, low = { 90, 9 }, high = { 110, 11 } } },
    { name = "point", colour = 2, xs = { 2 }, ys = { 5 } },
  } }
  check.equal(logarithmic, true)
  contains(picture, "&lt;Loss&gt;", 'data-name="a &amp; b"', 'class="line c1 "', 'class="band c1"', 'class="point c2"')
  assert(not picture:find "nan" and not picture:find "inf", picture)
end)

check("bytes as base64", function()
  check.equal(pictures.base64 "", "")
  check.equal(pictures.base64 "f", "Zg==")
  check.equal(pictures.base64 "fo", "Zm8=")
  check.equal(pictures.base64 "\255\0\254", "/wD+")
end)

-- core.npz_read gives these arrays while f runs; -> what f returns.
local function with_arrays(arrays, f)
  local read = core.npz_read
  core.npz_read = function() return arrays end
  local restore <close> = setmetatable({}, { __close = function() core.npz_read = read end })
  return f()
end

local arrays = {
  probabilities = icl.tensor { { 0.9, 0.1, 0 }, { 0.2, 0.7, 0.1 }, { 0.05, 0.9, 0.05 }, { 0.3, 0.3, 0.4 } },
  truth = icl.tensor({ 0, 0, 2, 1 }, { dtype = "i64" }), names = { "w.png", "x.png", "y.png", "<z>.png" },
}

check("mistakes", function()
  local found = with_arrays(arrays, function() return predictions.read "x" end)
  local counts = predictions.confusion(found)
  check.equal(counts[0].total, 2)
  check.equal(counts[0][1], 1)
  check.equal(table.concat(predictions.worst(found, 9), " "), "3 2 4")
  check.equal(table.concat(predictions.worst(found, 1), " "), "3")
  local first = predictions.confused(counts, 9)[1]
  check.equal(("%d %d %d"):format(first.truth, first.guess, first.count), "0 1 1")
end)

check("predictions that are none", function()
  local function message_of(changes)
    local changed = { probabilities = arrays.probabilities, truth = arrays.truth }
    for key, value in pairs(changes) do changed[key] = value end
    local found, message = with_arrays(changed, function() return predictions.read "p.npz" end)
    check.equal(found, nil)
    return message
  end
  contains(message_of { truth = "x" }, "p.npz: ", "truth is 'x'")
  contains(message_of { truth = icl.tensor({ 0, 0, 3, 1 }, { dtype = "i64" }) }, "the class 3 of 3")
  contains(message_of { truth = icl.tensor({ 0, 0 }, { dtype = "i64" }) }, "of shape")
end)

check("a page without runs' figures, and one with predictions but without images", function()
  folders.make(root .. "/<i>/001", { options = {}, files = { ["predictions.npz"] = "x" } })
  local run = icl.runs.read(root .. "/<i>/001")
  local page = with_arrays(arrays, function() return report { run } end)
  contains(page, "There are no reports yet.", "&lt;i&gt;", "Of 4 images 1 (25.00 %) were right",
    "Without pictures: options.lua names no data set", "&lt;z&gt;.png", "class 2", "taken for class 1")
  assert(not page:find("<i>/", 1, true), "a name is not escaped")
  os.remove(root .. "/<i>/001/predictions.npz")
  contains(report { run }, "--predictions &#39;" .. root .. "/&lt;i&gt;/001/predictions.npz&#39;</pre>")
end)

os.execute("rm -rf " .. root)
check.close()
