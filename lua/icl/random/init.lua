-- random: keys of random draws.
--
-- A draw depends on its key alone (Philox 4x32-10, Salmon et al. 2011), not on what was drawn before it. A key is
-- made of the seed, the step, and a name: the path of the module that draws, how many draws it made in this step
-- before, and what the draw is for. So no two draws of a program coincide, and a run that is repeated or resumed
-- draws the same.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local scope = require "icl.internal.scope"

local random = {}

local seed_low, seed_high = 0, 0
local step_word = 0
local ordinals = {}

-- icl.random.seed(n): the seed of all draws from now on, an integer. Draws are counted from the beginning again.
function random.seed(n)
  local seed = math.tointeger(n)
  if not seed then fail("icl.random.seed: %s is not an integer", tostring(n)) end
  seed_low, seed_high = seed & 0xffffffff, seed >> 32
  step_word, ordinals = 0, {}
end

-- The two halves of the seed, each below 2^32.
function random.seed_words()
  return seed_low, seed_high
end

-- icl.random.step(n): draws of the current step belong to step n (a number from 0 to 2^32 - 1).
function random.step(n)
  arguments.integer("icl.random.step: n", n, 0)
  step_word, ordinals = n & 0xffffffff, {}
end

-- Begins the draws of the next step; icl.step does it.
function random.next_step()
  random.step(step_word + 1)
end

-- Draws are counted as at the beginning of the step again, so that the same calls draw the same numbers.
function random.rewind()
  ordinals = {}
end

-- A key from its four words, each from 0 to 2^32 - 1: an i64 tensor that ops.uniform, ops.normal, ... take.
function random.key_of(a, b, c, d)
  return core.new_tensor({ a, b, c, d }, "i64")
end

-- random.numbers(words) -> a function that gives the numbers of a key (its four words in a list) one after the other,
-- in (0, 1).
function random.numbers(words)
  local block, numbers, taken = 0, {}, 4
  return function()
    if taken == 4 then
      numbers, taken, block = { core.philox(words, block) }, 0, block + 1
    end
    taken = taken + 1
    return (numbers[taken] + 0.5) * 2.0 ^ -32
  end
end

-- icl.random.key(stream) -> the key of the next draw of the module that is being called. `stream` says what for:
-- "dropout".
function random.key(stream)
  arguments.typed("icl.random.key", stream, "string", "a text that says what the draw is for")
  local name = scope.path() .. "#" .. stream
  local ordinal = ordinals[name] or 0
  ordinals[name] = ordinal + 1
  return random.key_of(seed_low, seed_high, core.hash32(("%s#%d"):format(name, ordinal)), step_word)
end

-- icl.random.uniform(shape): f32 in [0, 1).
function random.uniform(shape, ...)
  arguments.no_more("icl.random.uniform", "a shape", ...)
  return core.ops.uniform(random.key "uniform", { shape = shape })
end

-- icl.random.normal(shape): f32, mean 0, variance 1.
function random.normal(shape, ...)
  arguments.no_more("icl.random.normal", "a shape; mean + deviation * normal(shape) has others", ...)
  return core.ops.normal(random.key "normal", { shape = shape })
end

-- icl.random.randint(shape, { low =, high = }): i64, both ends included.
function random.randint(shape, options, ...)
  arguments.no_more("icl.random.randint", "a shape and { low =, high = }", ...)
  options = arguments.options("icl.random.randint", options, {}, { "low", "high" })
  return core.ops.randint(random.key "randint", { shape = shape, low = options.low, high = options.high })
end

-- icl.random.bernoulli(shape, p): bool, true with probability p.
function random.bernoulli(shape, p, ...)
  arguments.no_more("icl.random.bernoulli", "a shape and p", ...)
  if p == nil then fail "icl.random.bernoulli: p is missing; it is the probability of true, from 0 to 1" end
  return core.ops.bernoulli(random.key "bernoulli", p, { shape = shape })
end

return random
