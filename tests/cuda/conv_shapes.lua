-- conv_shapes.lua: prints each convolution that some recipe trains with any of its presets and published settings, once:
--
--   n h w input  output  kernel kh kw  stride h w  padding h w  groups      (numbers only)
--
-- of those that differ in nothing but the number of images, the one with the most.
local core = require "icl.core"
local recipes = dofile((arg[0]:match "^(.*/)" or "./") .. "../lua/recipes.lua")

local images, convolutions = 0, {} -- the batch of the recipe at hand; the rest of the line -> most images

local conv2d = core.ops.conv2d
core.ops.conv2d = function(x, w, attributes)
  local image, weight = x:shape(), w:shape()
  local rest = { image[2], image[3], image[4], weight[4], weight[1], weight[2] }
  table.move(attributes.stride, 1, 2, #rest + 1, rest)
  table.move(attributes.padding, 1, 2, #rest + 1, rest)
  rest[#rest + 1] = attributes.groups
  local line = table.concat(rest, " ")
  convolutions[line] = math.max(convolutions[line] or 0, images)
  return conv2d(x, w, attributes)
end

-- Records the model for one image; nothing is computed.
local function record(recipe, ...)
  local given = recipes.given_to_fit(recipe, "--data", "DIR", ...)
  images = given.options.batch_size // (given.options.subdivision or 1)
  core.step_begin()
  core.no_grad_begin()
  given.model(core.full({ 1, table.unpack(given.train.shape) }, 0))
  core.no_grad_end()
  core.step_cancel()
  collectgarbage()
end

for _, recipe in ipairs(recipes.names()) do
  local _, list = recipes.given_to_fit(recipe)
  record(recipe)
  for _, cell in ipairs(list.cells) do
    if not cell.values.world_size then record(recipe, "--result", cell.name) end -- each of several has fewer images
  end
  for _, preset in ipairs(list.preset_order) do record(recipe, "--preset", preset) end
end

local lines = {}
for rest, most in pairs(convolutions) do lines[#lines + 1] = most .. " " .. rest end
table.sort(lines)
print(table.concat(lines, "\n"))
