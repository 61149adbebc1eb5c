-- test_repl.lua: the parts of the prompt that need no terminal: printing, completion, history, help.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"
local complete = require "icl.repl.complete"
local help = require "icl.help"
local history = require "icl.repl.history"
local printing = require "icl.repl.print"

local function has(text, ...)
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then error(("'%s' is not in: %s"):format(part, text), 2) end
  end
end

local function names(line, globals)
  return table.concat(complete.candidates(line, globals), " ")
end

-- ---- printing ----

check("scalars", function()
  check.equal(printing.text(1), "1")
  check.equal(printing.text(1.0), "1.0")
  check.equal(printing.text(nil), "nil")
  check.equal(printing.text "a\n\t\"\\\0\27", [["a\n\t\"\\\x00\x1b"]])
  check.equal(printing.text(print), "function (built in)")
  has(printing.text(names), "test_repl.lua:")
  check.equal(printing.results { n = 3, 1, nil, "x" }, '1\tnil\t"x"')
end)

check("tables", function()
  check.equal(printing.text {}, "{}")
  check.equal(printing.text { 1, { 2 }, b = true, [1.5] = 0, ["a b"] = 1 },
    '{ 1, { 2 }, [1.5] = 0, ["a b"] = 1, b = true }')
  check.equal(printing.text { nil, 2 }, "{ nil, 2 }")
  check.equal(printing.text { { { { { 1 } } } } }, "{ { { { { ... } } } } }")
  check.equal(printing.text(setmetatable({}, { __tostring = function() return "mine" end })), "mine")
  check.equal(printing.text { setmetatable({}, { __tostring = function() return "mine" end }) }, "{ <mine> }")
  has(printing.text(setmetatable({}, { __tostring = function() error "broken" end })), "broken")
  has(printing.text { icl.ones { 2, 3 }, icl.nn.relu() }, "tensor f32 (2, 3)", "<relu>")
end)

check("large and circular tables end", function()
  local large, circle = {}, {}
  for i = 1, 1000 do large[i] = { i, { i, { i } } } end
  circle.a = { b = circle }
  check.equal(#printing.text(large) < 10000, true)
  has(printing.text(large), "more")
  check.equal(printing.text(circle), "{ a = { b = { <this table again> } } }")
end)

-- ---- completion ----

check("words in columns, however long", function()
  local width, columns = require "icl.internal.width", require "icl.internal.columns"
  local function shown(words) return width.during(30, function() return columns(words) end) end
  check.equal(shown { "a", "b\u{e4}\u{e4}r", "c", "d", "e", "f" }, "  a     b\u{e4}\u{e4}r  c     d\n  e     f")
  local long = ("x"):rep(120)
  check.equal(shown { long, "b" }, "  " .. long .. "\n  b")
end)

check("names of globals and fields", function()
  local globals = { alpha = { beta = { gamma = 1, get = print } }, alphabet = 1, _hidden = 1 }
  check.equal(names("alp", globals), "alpha alphabet")
  check.equal(names("x = alpha.be", globals), "beta")
  check.equal(names("f(alpha.beta.g", globals), "gamma get")
  check.equal(names("alpha.beta:g", globals), "get")
  check.equal(names("wh", globals), "while")
  check.equal(names("_h", globals), "_hidden")
  check.equal(names("nothing.at.al", globals), "")
  check.equal(names("alpha.beta.gamma.x", globals), "")
end)

check("what is inserted, what is shown", function()
  local globals = { alpha = 1, alphabet = 1, beta = 1 }
  local insert, shown = complete.line("al", globals)
  check.equal(insert, "pha")
  check.equal(shown, nil)
  insert, shown = complete.line("alpha", globals)
  check.equal(insert, "")
  check.equal(table.concat(shown, " "), "alpha alphabet")
  check.equal(complete.line("be", globals), "ta")
  check.equal(complete.line("zz", globals), "")
  check.equal(complete.line("", globals), "  ")
end)

check("fields and methods of modules", function()
  local globals = { net = icl.nn.sequential(icl.nn.relu()), fc = icl.nn.linear(1, 2) }
  check.equal(table.concat(complete.candidates("net:appen", globals)), "append")
  check.equal(table.concat(complete.candidates("net:freez", globals)), "freeze")
  check.equal(table.concat(complete.candidates("fc.weig", globals)), "weight")
end)

check("modules that are not loaded yet, methods, attributes", function()
  local globals = { icl = icl, x = icl.ones { 2 }, s = icl.state { 1 }, m = icl.nn.linear(1, 2), text = "x" }
  check.equal(names("icl.nn.max_", globals), "max_pool2d")
  check.equal(names("icl.models.wr", globals), "wrn")
  check.equal(names("x:resh", globals), "reshape")
  check.equal(names("x:softm", globals), "softmax")
  check.equal(names("s:clear", globals), "clear_grad")
  check.equal(names("s.trai", globals), "trainable")
  check.equal(names("m:named_p", globals), "named_parameters")
  check.equal(names("m.wei", globals), "weight")
  check.equal(names("text:up", globals), "upper")
  check.equal(names("x:conv2d(w, { str", globals), "stride")
  check.equal(names("icl.ops.conv2d(x, w, { stride = 1, g", globals), "groups")
  check.equal(names("f(x, { str", globals), "")
end)

check("an __index that fails does no harm", function()
  local bad = setmetatable({}, { __index = function() error "no" end })
  check.equal(names("bad.x.y", { bad = bad }), "")
end)

check("errors", function()
  check.equal(printing.failure("x.lua:1: \27[31mred", "x.lua:1: \27[31mred"), [[x.lua:1: \x1b[31mred]])
  check.equal(printing.failure("a table", { 1 }), "a table\n{ 1 }")
  check.equal(printing.failure("mine", setmetatable({}, { __tostring = function() return "mine" end })), "mine")
  check.equal(printing.text(("ä"):rep(300)):find "\\x", nil)
end)

-- ---- history ----

check("where the history lies", function()
  local path = history.path()
  check.equal(path == nil or path:find "^/.*/icl/history$" ~= nil, true)
end)

-- ---- help ----

check("every op has help", function()
  for name in pairs(icl.ops) do has(help.text(icl.ops[name]), "icl.ops." .. name .. "(") end
end)

check("every layer, model and module has help that says something", function()
  for _, part in ipairs { "nn", "models", "optim" } do
    for _, name in ipairs(icl[part].names) do
      check.equal(#help.text(icl[part][name]) > 20, true)
      check.equal(#help.text(("icl.%s.%s"):format(part, name)) > 20, true)
    end
  end
  for _, name in ipairs(icl.names) do
    has(help.text(), "icl." .. name)
    check.equal(#help.text(icl[name]) > 20, true)
  end
end)

check("every method of tensors and states has help", function()
  for _, value in ipairs { icl.ones { 2 }, icl.state { 2 } } do
    for _, methods in ipairs { core.tensor_methods, getmetatable(value).methods } do
      for name, method in pairs(methods) do
        local text = help.text(method)
        check.equal(text:find "built in" or text:find "without a description", nil)
        has(text, name)
      end
    end
  end
end)

check("help about values", function()
  has(help.text(icl.ops), "icl.ops: every op", "softmax", "conv2d")
  has(help.text(icl.models.resnet_preact), "(default 110)", "two 3x3 convolutions (default)", "add_last_bn = false")
  has(help.text(icl.models.wrn), "depth = 28")
  has(help.text(icl.nn.conv2d(1, 2, 3)), "nn.conv2d(input, output, kernel")
  has(help.text(icl.nn.sequential()), "nn.sequential { a, b, ... }")
  has(help.text(icl.options.training), "base_lr = 0.1")
  has(help.text(icl.ones { 2 }), "a tensor", "reshape")
  has(help.text(icl.state { 2 }), "a state", "write")
  has(help.text(icl.random.normal), "mean 0, variance 1")
  has(help.text(icl.optim.adam), "Kingma and Ba", "betas = { 0.9, 0.999 }")
  has(help.text(icl.optim.define), "icl.optim.define(name, rule)", "gradient_clip = 0")
  has(help.text(icl.data), "icl.data.open(options)", "icl.data.loader(set, options)", "icl.data.split(set, ratio)")
  has(help.text(icl.ema(icl.nn.linear(2, 3))), "an object. Its methods:", "ema:apply(f, ...) -> ", "ema:update()")
  has(help.text(icl.run {}), "run:batches(loader)", "run:epochs()", "run:log { name")
  has(help.text(icl.network.of(icl.models.resnet { depth = 8 })), "n(images) -> logits", "n:image(path) -> ")
  has(help.text(print), "without a description")
  has(help.text(nil), "searches")
  has(help.text(true), "a boolean")
  has(help.text {}, "a table")
end)

check("search", function()
  has(help.text "milestones", "icl.schedule")
  has(help.text "RELU", "icl.ops.relu")
  has(help.text "cnov2d", "did you mean conv2d")
  has(help.text "icl.fit", "icl.fit { model")
  has(help.text "icl.no.such", "nothing is called")
end)

check.close()
