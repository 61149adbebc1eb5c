-- chart/axis.lua: from values to places along an axis, with round ticks.
local numbers = require "icl.internal.numbers"

local Axis = {}
Axis.__index = Axis

local TINY = 1e-100  -- what is smaller counts as 0, or its ticks would have no digits

local rounds = { 1, 2, 5, 10 }

-- The smallest of 1, 2, 5 times a power of ten that is at least x.
local function round_up(x)
  local power = 10.0 ^ math.floor(math.log(x, 10) + 1e-9)
  for _, factor in ipairs(rounds) do
    if factor * power >= x * (1 - 1e-9) then return factor * power end
  end
end

local function round_down(x)
  local power, best = 10.0 ^ math.floor(math.log(x, 10) + 1e-9), nil
  for _, factor in ipairs(rounds) do
    if factor * power <= x * (1 + 1e-9) then best = factor * power end
  end
  return best
end

local function linear_ticks(self)
  local step = self.step
  local first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
  self.decimals = math.max(0, -math.floor(math.log(step, 10) + 1e-9))
  for k = first, last do self.ticks[#self.ticks + 1] = k * step end
end

-- 1, 2, 5 of each power of ten, or powers alone where these would be too many.
local function log_ticks(self, count)
  local first, last = math.floor(math.log(self.low, 10) + 1e-9), math.ceil(math.log(self.high, 10) - 1e-9)
  local step = math.max(1, math.ceil((last - first) / count))
  local factors = (last - first) * 3 <= count * 1.7 and { 1, 2, 5 } or { 1 }
  for power = first, last, step do
    for _, factor in ipairs(factors) do
      local tick = factor * 10.0 ^ power
      if tick >= self.low * (1 - 1e-9) and tick <= self.high * (1 + 1e-9) then self.ticks[#self.ticks + 1] = tick end
    end
  end
end

-- The ends of the axis: those of the values, or round ones around them; and the step from tick to tick of a linear one.
local function set_ends(self, options, count)
  local low, high = self.low, self.high
  if self.log then
    self.low, self.high = round_down(low), round_up(high)
    if self.low == self.high then self.low, self.high = low / 2, high * 2 end
    return
  end
  if options.zero and low > 0 then low = 0.0 end
  if high - low < math.max(math.abs(high) * 1e-12, TINY) then
    local around = math.abs(low) < TINY and 1 or math.abs(low) / 2
    low, high = low - around, high + around
  end
  self.low, self.high = low, high
  local step = round_up((high - low) / count)
  if options.whole then step = math.max(step, 1.0) end
  self.step = step
  if options.exact then return end
  self.low, self.high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
end

-- axis(low, high [, options]) -> an axis for values from low to high. Fields: low, high (round, unless options.exact),
-- ticks (list), log. Options: log: powers of ten are evenly spaced, where all is above 0; zero: from 0 on; whole: ticks
-- are integers; count = 5: ticks, about.
local function new(low, high, options)
  options = options or {}
  local self = setmetatable({ low = low + 0.0, high = high + 0.0, ticks = {} }, Axis)
  self.log = options.log and low >= TINY or false
  local count = options.count or 5
  set_ends(self, options, count)
  if self.log then log_ticks(self, count) else linear_ticks(self) end
  return self
end

-- axis:at(value) -> its place, 0 at the low end, 1 at the high one.
function Axis:at(value)
  if not self.log then return (value - self.low) / (self.high - self.low) end
  if value <= 0 then return 0.0 end
  return math.log(value / self.low) / math.log(self.high / self.low)
end

-- axis:label(tick) -> the text of a tick: "0.05", "20", "1e-05".
function Axis:label(tick)
  local largest = math.max(math.abs(self.low), math.abs(self.high))
  if self.log or largest >= 1e6 or (largest > 0 and largest < 1e-3) then
    return (numbers.format("%.6g", tick + 0.0):gsub("e([+-])0*", { ["+"] = "e", ["-"] = "e-" }))
  end
  return numbers.format("%." .. self.decimals .. "f", tick)
end

local HELPS = 12  -- times that the largest value must be the smallest for a logarithmic axis to show more

-- axis.extent(lists) -> the smallest and the largest number of a list of lists, and whether a logarithmic axis suits
-- them; nil if there is none.
local function extent(lists)
  local low, high
  for _, list in ipairs(lists) do
    for _, value in ipairs(list) do
      if not low or value < low then low = value end
      if not high or value > high then high = value end
    end
  end
  return low, high, low ~= nil and low >= TINY and high / low > HELPS
end

return { new = new, extent = extent }
