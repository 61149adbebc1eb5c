-- random: random numbers. A draw depends on the seed and on the place in the program where it is made, never on what
-- was drawn before it (internal/places.lua), so a program that is repeated or resumed draws the same.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local beta = require "icl.random.beta"
local given = require "icl.random.given"
local part = require "icl.internal.part"
local places = require "icl.internal.places"
local scope = require "icl.internal.scope"

local random = {}

-- icl.random.seed(n): the seed of all draws from now on, an integer. Draws are counted from the beginning again.
function random.seed(n, ...)
  arguments.no_more("icl.random.seed", "one integer", ...)
  local seed = math.tointeger(n)
  if not seed then fail("icl.random.seed: %s is not an integer", tostring(n)) end
  places.seed(seed)
end

-- icl.random.current_seed() -> the seed that draws have.
function random.current_seed()
  return places.current_seed()
end

-- The words of the key of the next draw of the module that is being called.
local function next_words(stream)
  local name = scope.path() .. "#" .. stream
  return places.words(("%s#%d"):format(name, places.ordinal(name)))
end

-- icl.random.key(stream) -> the key of the next draw of the module that is being called. `stream` says what for:
-- "dropout".
function random.key(stream)
  arguments.typed("icl.random.key", stream, "string", "a text that says what the draw is for")
  return places.key_of(table.unpack(next_words(stream)))
end

-- What an op of draws takes behind its other inputs. What a module draws is of images where axis 1 of the shape counts
-- them.
local function of(shape, options)
  if type(shape) == "table" and scope.is_called() then return part.draw_of(shape, options) end
  return options
end

-- icl.random.uniform(shape): f32 in [0, 1). As for the others, in a module whose batch is computed in parts, or by
-- several processes, the rows of a shape that begins with the images are those that the whole batch would draw.
function random.uniform(shape, ...)
  arguments.no_more("icl.random.uniform", "a shape", ...)
  return core.ops.uniform(random.key "uniform", of(shape, { shape = shape }))
end

-- icl.random.normal(shape): f32, mean 0, variance 1.
function random.normal(shape, ...)
  arguments.no_more("icl.random.normal", "a shape; mean + deviation * normal(shape) has others", ...)
  return core.ops.normal(random.key "normal", of(shape, { shape = shape }))
end

-- icl.random.randint(low, high, shape): i64 from low to high, both included, as math.random has them.
function random.randint(low, high, shape, ...)
  local bounds = given.randint("icl.random.randint", low, high, shape, ...)
  return core.ops.randint(random.key "randint", of(shape, bounds))
end

-- icl.random.bernoulli(p, shape): bool, true with probability p.
function random.bernoulli(p, shape, ...)
  local sizes = given.bernoulli("icl.random.bernoulli", p, shape, ...)
  return core.ops.bernoulli(random.key "bernoulli", p, of(shape, sizes))
end

-- icl.random.permutation(n): i64 (n), 0 to n - 1 in a random order: x:gather(icl.random.permutation(#x)).
function random.permutation(n, ...)
  arguments.no_more("icl.random.permutation", "n", ...)
  arguments.integer("icl.random.permutation: n", n, 0, 1 << 30)
  return core.permutation(next_words "permutation", n)
end

-- icl.random.number() -> a number of Lua in (0, 1), for what Lua decides: if icl.random.number() < 0.5 then ...
function random.number(...)
  arguments.no_more("icl.random.number", "no arguments", ...)
  return places.numbers(next_words "number")()
end

-- icl.random.beta(a) -> a number of Lua of the distribution Beta(a, a), as mixup draws it.
function random.beta(a, ...)
  arguments.no_more("icl.random.beta", "a", ...)
  arguments.number("icl.random.beta: a", a, 1e-6)
  return beta(places.numbers(next_words "beta"), a)
end

return require "icl.internal.strict".module(random, "icl.random")
