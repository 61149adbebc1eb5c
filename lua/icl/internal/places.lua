-- internal/places.lua: the places of a program that draws belong to, and the keys that are made of them.
--
-- A draw depends on its key alone (Philox 4x32-10, Salmon et al. 2011), not on what was drawn before it. A key is
-- made of the seed, the place in the program where it is drawn, and a name: the path of the module that draws, how many
-- draws it made at this place before, and what the draw is for. Places are what lies outside of every step, each pass
-- of each loop of each epoch of each icl.run, each icl.evaluate, and each icl.step. So no two draws of a program
-- coincide, and a program that is repeated or resumed draws the same.
local core = require "icl.core"

local places = {}

-- A place has a name and a number, how many draws each name made there, and the place around it.
local function new_place(name, number, outer)
  return { name = name, number = number, counts = {}, outer = outer }
end

local seed_low, seed_high = 0, 0
local place = new_place("", 0)

-- places.seed(n): the seed of all draws from now on, an integer. Draws are counted from the beginning again.
function places.seed(n)
  seed_low, seed_high = n & 0xffffffff, n >> 32
  place = new_place("", 0)
end

-- places.current_seed() -> the seed that draws have.
function places.current_seed()
  return seed_high << 32 | seed_low
end

-- places.ordinal(name) -> how many times it was asked for this name at this place before.
function places.ordinal(name)
  local count = place.counts[name] or 0
  place.counts[name] = count + 1
  return count
end

-- places.name(kind) -> a name for something made at this place, "run0" or "epoch3.loader1": no other has the same.
function places.name(kind)
  return ("%s%s%s%d"):format(place.name, place.name == "" and "" or ".", kind, places.ordinal(kind))
end

-- places.current() -> name and number of the place that draws belong to.
function places.current()
  return place.name, place.number
end

-- places.enter(name, number) -> the place of this name and number, from 0 to 2^32 - 1, to which draws belong until
-- places.leave([it]), which returns to the place around it.
function places.enter(name, number)
  place = new_place(name, number, place)
  return place
end

-- places.move(entered, name): draws belong to this place that was entered, under another name, and are counted from the
-- beginning.
function places.move(entered, name)
  place = entered
  place.name, place.number, place.counts = name, 0, {}
end

-- A place that was left already is no place to leave: a coroutine that failed in it may be closed much later.
function places.leave(entered)
  local at = place
  if entered then
    while at and at ~= entered do at = at.outer end
  end
  place = at and at.outer or place
end

-- `local leave <close> = places.leaving` leaves at the end of its block, also where an error passes through.
places.leaving = setmetatable({}, { __close = function() places.leave() end })

-- places.enter_step([name, number]) -> the same for a step that began, the next icl.step unless they are given. Steps
-- do not nest: the place of another one was left behind by a coroutine that nobody resumes.
function places.enter_step(name, number)
  while place.of_step do places.leave() end
  places.enter(name or place.name .. ".step", number or places.ordinal "icl.step")
  place.of_step = true
  return place
end

-- Draws are counted as at the beginning of the place again, so that the same calls draw the same numbers.
function places.rewind()
  place.counts = {}
end

-- places.counted() -> the draws that were counted at this place so far, for places.recount(it): they are counted on
-- from there, so that what parts of a batch draw one after another is what the whole of it would.
function places.counted()
  local counts = {}
  for name, count in pairs(place.counts) do counts[name] = count end
  return counts
end

function places.recount(counts)
  place.counts = {}
  for name, count in pairs(counts) do place.counts[name] = count end
end

-- places.words(name [, number [, place]]) -> the four words of the key that this name has at the place of this name and
-- number, the current one unless they are given. All keys are made here.
function places.words(name, number, at)
  return { seed_low, seed_high, core.hash32((at or place.name) .. "/" .. name), (number or place.number) & 0xffffffff }
end

-- A key from its four words, each from 0 to 2^32 - 1: an i64 tensor that ops.uniform, ops.normal, ... take.
function places.key_of(a, b, c, d)
  return core.new_tensor({ a, b, c, d }, "i64")
end

-- places.numbers(words) -> a function that gives the numbers of a key (its four words in a list) one after the other,
-- in (0, 1).
function places.numbers(words)
  local block, numbers, taken = 0, {}, 4
  return function()
    if taken == 4 then
      numbers, taken, block = { core.philox(words, block) }, 0, block + 1
    end
    taken = taken + 1
    return (numbers[taken] + 0.5) * 2.0 ^ -32
  end
end

return places
