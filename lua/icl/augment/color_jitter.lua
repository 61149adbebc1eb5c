-- augment/color_jitter.lua: augment.color_jitter { brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0 }:
-- each image is multiplied in brightness, contrast and saturation by a factor from max(0, 1 - b) to 1 + b, and turned
-- in hue by a part of the circle from -h to h, in a random order. As torchvision's ColorJitter on bytes.
local core = require "icl.core"
local ops = core.ops
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local stage = require "icl.augment.stage"

local color_jitter = stage.class("color_jitter", pictures.prob(options "augment.color_jitter"
  : value("brightness", 0.4, "factors from 1 - b to 1 + b", { min = 0 })
  : value("contrast", 0.4, "factors from 1 - c to 1 + c", { min = 0 })
  : value("saturation", 0.4, "factors from 1 - s to 1 + s", { min = 0 })
  : value("hue", 0.0, "turns from -h to h, in circles", { min = 0, max = 0.5 })
  : check(function(o)
      if o.brightness == 0 and o.contrast == 0 and o.saturation == 0 and o.hue == 0 then
        return "{brightness}, {contrast}, {saturation} and {hue} are all 0; one must be above"
      end
    end), 1.0))

local kinds = { "brightness", "contrast", "saturation", "hue" }

-- All orders of the items of a list.
local function orders_of(list)
  if #list == 0 then return { {} } end
  local orders = {}
  for i, item in ipairs(list) do
    local rest = table.move(list, 1, #list, 1, {})
    table.remove(rest, i)
    for _, order in ipairs(orders_of(rest)) do
      table.insert(order, 1, item)
      orders[#orders + 1] = order
    end
  end
  return orders
end

-- The kinds of adjustments that are to be made, those with an amount.
local function chosen(o)
  local list = {}
  for _, kind in ipairs(kinds) do
    if o[kind] > 0 then list[#list + 1] = kind end
  end
  return list
end

-- color_jitter:draw(rng, n) -> for n images: order, i64 (n), the number of an order of the adjustments, from 0; and
-- amount, a table of f64 (n) by kind.
function color_jitter:draw(rng, n)
  local o, list, count = self.options, chosen(self.options), 1
  for i = 2, #list do count = count * i end
  local draws = { order = rng:randint(0, count - 1, { n }), amount = {} }
  for _, kind in ipairs(list) do
    local least, most = math.max(0, 1 - o[kind]), 1 + o[kind]
    if kind == "hue" then least, most = -o.hue, o.hue end
    draws.amount[kind] = pictures.between(rng, least, most, n)
  end
  return draws
end

-- color_jitter:jitter(x, draws [, which]) -> images x with the adjustments in the orders that were drawn, those in
-- `which`, bool (n), alone.
function color_jitter:jitter(x, draws, which)
  local n, list, numbers = x:size(1), chosen(self.options), {}
  for _, order in ipairs(orders_of(list)) do
    for _, kind in ipairs(order) do numbers[#numbers + 1] = pictures.kinds[kind] end
  end
  local table_of_orders = core.new_tensor(numbers, "i64", { #numbers // #list, #list })
  local order = ops.gather(table_of_orders, draws.order)
  if which then order = order * which:cast "i64":reshape(n, 1) end
  for step = 1, #list do
    local kind, amount = order:narrow(2, step, 1):reshape(n), draws.amount[list[1]]
    for i = 2, #list do
      amount = ops.where(ops.eq(kind, pictures.kinds[list[i]]), draws.amount[list[i]], amount)
    end
    x = ops.adjust(x, amount, kind)
  end
  return x
end

function color_jitter:apply(batch, rng)
  local n, prob, which = batch.image:size(1), self.options.prob, nil
  if prob < 1 then which = rng:bernoulli(prob, { n }) end
  batch.image = self:jitter(batch.image, self:draw(rng, n), which)
end

return color_jitter
