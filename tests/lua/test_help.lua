-- test_help.lua: everything that users may call has a text, and a search finds it.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local core = require "icl.core"
local help = require "icl.help"
local reference = require "icl.help.reference"

local function has(text, ...)
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then error(("'%s' is not in:\n%s"):format(part, text), 2) end
  end
end

-- What is wrong with the text about a value; nil if nothing is.
local function fault(text)
  for _, sign in ipairs { "has no description", "without a description", "a table; its fields" } do
    if text:find(sign, 1, true) then return text:match "[^\n]*" end
  end
  if #text < 15 then return "too short: " .. text end
end

local entries = reference.entries(help.text)

check("every public function, class and method has a text", function()
  local faults = {}
  for _, entry in ipairs(entries) do
    local what = fault(entry.text)
    if what then faults[#faults + 1] = ("%s: %s"):format(entry.name, what) end
  end
  check.equal(table.concat(faults, "\n"), "")
  check.equal(#entries > 500, true)
end)

check("what has no text is noticed", function()
  check.equal(fault(help.text(function() end)) ~= nil, true)
  check.equal(fault(help.text {}) ~= nil, true)
end)

check("the walk comes to all parts", function()
  local names = {}
  for _, entry in ipairs(entries) do names[entry.name] = true end
  for _, name in ipairs { "icl.fit", "icl.tensor", "icl.concat", "t:backward", "t:split", "s:write", "icl.ops.adjust",
                          "icl.nn.conv2d", "icl.models.resnet", "icl.optim.muon", "icl.data.concat", "icl.random.seed",
                          "icl.augment.rand_augment", "icl.loss.focal", "icl.metrics.f1", "icl.image.read", "run:log",
                          "loader:first", "m:save", "optimizer:step", "icl.weights.read", "icl.weights.write" } do
    if not names[name] then error(name .. " is not there") end
  end
  for _, name in ipairs(icl.augment.names) do check.equal(names["icl.augment." .. name], true) end
  for _, name in ipairs(icl.nn.names) do check.equal(names["icl.nn." .. name], true) end
end)

check("words are found as recipes write them", function()
  check.equal(help.text "nn.max_pool2d", help.text "icl.nn.max_pool2d")
  check.equal(help.text "x:gather":find("t:gather(dim, index)", 1, true) ~= nil, true)
  check.equal(help.text "x:gather", help.text "t:gather")
  has(help.text "loader:each", "for batch in loader:each(")
  has(help.text "run:epochs", "for epoch in run:epochs()")
  has(help.text "network:clone", "m:clone()", "metric:clone()")
end)

-- The methods of the class of an object, its metatable's __index, with those it inherits.
local function methods_of(object)
  local class, methods = getmetatable(object).__index, {}
  while type(class) == "table" do
    for name, value in next, class do
      if type(name) == "string" and not name:find "^_" and type(value) == "function" then methods[name] = value end
    end
    class = (getmetatable(class) or {}).__index
  end
  return methods
end

check("the methods of options and loaders are found, with a colon or a point", function()
  for _, name in ipairs { "value", "flag", "choice", "include", "take", "default", "preset", "results", "neutral",
                          "example", "after", "check", "derive", "parse" } do
    for _, between in ipairs { ".", ":" } do
      check.equal(help.text("options" .. between .. name):find("options:" .. name, 1, true), 1)
    end
  end
  has(help.text "loader.first", "loader:first() -> the first batch")
  has(help.text "icl.options", "options:value")
end)

check("a word is looked for among the names of PyTorch", function()
  for word, part in pairs {
    zero_grad = "opt.zero_grad(); loss.backward();  icl.step(function()",
    dataloader = "icl.data.folder, icl.data.loader", register_buffer = "self:buffer(\"n\", t)",
    numel = "x:numel             x:count()",
    State_Dict = "model:state_dict    icl.weights.state_dict(model)",
  } do
    local text, is_nothing = help.text(word)
    has(text, "from PyTorch:\n", part)
    check.equal(is_nothing or false, false)
  end
  has(help.text "zero_grad", "optimizer:step(0.1) end)")  -- the second line of its entry
  check.equal(help.text "PyTorch", help.text "pytorch")
  check.equal(select(2, help.text "nosuchword"), true)
end)

check("every method of the objects that functions return has a text", function()
  local model = icl.nn.linear(2, 3)
  local set = icl.data.generate(4, function() return icl.zeros({ 2, 2, 1 }, "u8"), 0 end,
    { classes = 2, mean = { 0 }, std = { 1 } })
  local loader = icl.data.loader(set, { batch_size = 2 })
  local faults = {}
  for kind, object in pairs {
    module = model, optimizer = icl.optim.adamw(model), ema = icl.ema(model), loader = loader,
    schedule = icl.schedule { epochs = 2, steps_per_epoch = 2, base_lr = 1 }, scaler = icl.grad_scaler {},
    options = icl.options "x", run = icl.run { epochs = 1 }, stage = icl.augment.hflip {},
    metric = icl.metrics.f1 { classes = 2 },
  } do
    for name, method in pairs(methods_of(object)) do
      local what = fault(help.text(method))
      if what then faults[#faults + 1] = ("%s:%s: %s"):format(kind, name, what) end
    end
  end
  table.sort(faults)
  check.equal(table.concat(faults, "\n"), "")
end)

check("a name is explained in full, and the best match comes first", function()
  has(help.text "m:save", "safetensors file", "torchvision")
  has(help.text "t:backward", "gradients of this one number")
  local first = help.text("gradient"):match "%S+"
  check.equal(first == "t:backward" or first == "icl.grad", true)
  has(help.text "pytorch", "x:sum(2)", "icl.data.loader", "divided by n,", "momentum 0.9, nesterov = true")
  has(help.text(icl.nn.relu), "max(x, 0)")
  for _, thing in ipairs { icl.metrics, icl.metrics.calibration_error } do
    has(help.text(thing), "metrics.calibration_error { bins = 15 } -> a metric of a whole set")
  end
  has(help.text(icl.nn.conv2d.forward), "icl.nn.conv2d:forward", "convolution; x (n, h, w, input)")
end)

check("the page holds everything and escapes it", function()
  local html = require "icl.help.html"
  local page = html.page()
  for _, entry in ipairs(entries) do has(page, ('id="%s"'):format(entry.name)) end
  has(page, "<!doctype html>", core.version, "-&gt;", "pytorch")
  check.equal(page:find "<link" or page:find ' src="', nil)
  check.equal(select(2, page:gsub("<section", "")), select(2, page:gsub("</section>", "")))
  check.equal(select(2, page:gsub("<div>", "")), select(2, page:gsub("</div>", "")))
  has(page, "dynamic loss scaling, which trainings with f16 need")  -- a line that a narrow terminal would cut
end)

check("the page is a file, in a folder or of a name that is given", function()
  local html, folder = require "icl.help.html", os.tmpname()
  os.remove(folder)
  local function read(path)
    local file <close> = assert(io.open(path))
    return file:read "a"
  end
  check.equal(html.write(folder), folder .. "/index.html")
  check.equal(html.write(folder .. "/"), folder .. "/index.html")
  check.equal(html.write(folder .. "/other.html"), folder .. "/other.html")
  check.equal(read(folder .. "/index.html") == html.page(), true)
  check.equal(read(folder .. "/other.html") == html.page(), true)
  check.raises(function() html.write(folder .. "/other.html/below") end, "icl help: .*other.html")
  assert(os.execute("rm -r " .. folder))
end)

check.close()
