-- random: keys of random draws.
--
-- A draw depends on its key alone (Philox 4x32-10, Salmon et al. 2011), not on what was drawn before it. A key is
-- made of the seed, the place in the program where it is drawn, and a name: the path of the module that draws, how many
-- draws it made at this place before, and what the draw is for. Places are what lies outside of every step, each pass
-- of each loop of each epoch of each icl.run, and each icl.step. So no two draws of a program coincide, and a program
-- that is repeated or resumed draws the same.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local scope = require "icl.internal.scope"

local random = {}

-- A place has a name and a number, how many draws each name made there, and the place around it.
local function new_place(name, number, outer)
  return { name = name, number = number, counts = {}, outer = outer }
end

local seed_low, seed_high = 0, 0
local place = new_place("", 0)

-- icl.random.seed(n): the seed of all draws from now on, an integer. Draws are counted from the beginning again.
function random.seed(n)
  local seed = math.tointeger(n)
  if not seed then fail("icl.random.seed: %s is not an integer", tostring(n)) end
  seed_low, seed_high = seed & 0xffffffff, seed >> 32
  place = new_place("", 0)
end

-- random.current_seed() -> the seed that draws have.
function random.current_seed()
  return seed_high << 32 | seed_low
end

-- random.ordinal(name) -> how many times it was asked for this name at this place before.
function random.ordinal(name)
  local count = place.counts[name] or 0
  place.counts[name] = count + 1
  return count
end

-- random.name(kind) -> a name for something made at this place, "run0" or "epoch3.loader1": no other has the same.
function random.name(kind)
  return ("%s%s%s%d"):format(place.name, place.name == "" and "" or ".", kind, random.ordinal(kind))
end

-- random.place() -> name and number of the place that draws belong to.
function random.place()
  return place.name, place.number
end

-- random.move(name): what is drawn outside of steps belongs to a place of this name from now on.
function random.move(name)
  place = new_place(name, 0)
end

-- random.enter(name, number) -> the place of this name and number, from 0 to 2^32 - 1, to which draws belong until
-- random.leave([it]), which returns to the place around it.
function random.enter(name, number)
  place = new_place(name, number, place)
  return place
end

-- A place that was left already is no place to leave: a coroutine that failed in it may be closed much later.
function random.leave(entered)
  local at = place
  if entered then
    while at and at ~= entered do at = at.outer end
  end
  place = at and at.outer or place
end

-- `local leave <close> = random.leaving` leaves at the end of its block, also where an error passes through.
random.leaving = setmetatable({}, { __close = function() random.leave() end })

-- random.enter_step([name, number]) -> the same for a step that began, the next icl.step unless they are given. Steps do
-- not nest: the place of another one was left behind by a coroutine that nobody resumes.
function random.enter_step(name, number)
  while place.of_step do random.leave() end
  random.enter(name or place.name .. ".step", number or random.ordinal "icl.step")
  place.of_step = true
  return place
end

-- Draws are counted as at the beginning of the place again, so that the same calls draw the same numbers.
function random.rewind()
  place.counts = {}
end

-- random.words(name [, number [, place]]) -> the four words of the key that this name has at the place of this name and
-- number, the current one unless they are given. All keys are made here.
function random.words(name, number, at)
  return { seed_low, seed_high, core.hash32((at or place.name) .. "/" .. name), (number or place.number) & 0xffffffff }
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
  return random.key_of(table.unpack(random.words(("%s#%d"):format(name, random.ordinal(name)))))
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
