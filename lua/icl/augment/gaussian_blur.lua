-- augment/gaussian_blur.lua: augment.gaussian_blur { kernel_size = 3, sigma = { 0.1, 2 }, prob = 1 }: each image is
-- blurred by a Gaussian of a deviation that is drawn from the range, with probability prob. As torchvision's
-- GaussianBlur on bytes, with the image mirrored at its edges; large images need larger kernels, such as 23.
local core = require "icl.core"
local options = require "icl.options.list"
local borders = require "icl.internal.borders"
local pictures = require "icl.augment.pictures"
local stage = require "icl.augment.stage"

local gaussian_blur = stage.class("gaussian_blur", pictures.prob(options "augment.gaussian_blur"
  : value("kernel_size", 3, "pixels of a side of the kernel, an odd number", { min = 1, max = 99 })
  : value("sigma", { 0.1, 2 }, "least and largest deviation, in pixels", { min = 1e-3, max = 1e3 })
  : check(function(o)
      if o.kernel_size and o.kernel_size % 2 == 0 then return "{kernel_size} must be odd" end
      if o.sigma and not (#o.sigma == 2 and o.sigma[1] <= o.sigma[2]) then
        return "{sigma} must be two numbers, the second not below the first"
      end
    end), 1.0))

function gaussian_blur:problem(height, width)
  local half = self.options.kernel_size // 2
  if half >= math.min(height, width) then
    return ("{kernel_size} %d is too much for images of %d x %d; at most %d"):format(self.options.kernel_size, height,
      width, 2 * math.min(height, width) - 1)
  end
end

-- The weights of the kernel's places, f32 (n, 1, 1, 1) each, for deviations f32 (n, 1, 1, 1).
local function weights_of(size, sigma)
  local list, sum = {}, 0
  for k = 1, size do
    local distance = k - (size + 1) / 2
    list[k] = ((distance / sigma) * (distance / sigma) * -0.5):exp()
    sum = sum + list[k]
  end
  for k, weight in ipairs(list) do list[k] = weight / sum end
  return list
end

-- The weighted sum of neighbours along an axis.
local function convolved(x, dim, weights)
  local length, sum = x:size(dim) - #weights + 1, 0
  for k, weight in ipairs(weights) do sum = sum + x:narrow(dim, k, length) * weight end
  return sum
end

-- gaussian_blur:blur(x, sigma) -> images x blurred with deviations, f32 (n).
function gaussian_blur:blur(x, sigma)
  local size = self.options.kernel_size
  self:check_size(x:size(2), x:size(3))
  local weights = weights_of(size, sigma:reshape(x:size(1), 1, 1, 1))
  local padded = borders.padded(x, { size // 2, size // 2 }, "reflect")
  local sum = convolved(convolved(padded:cast "f32", 3, weights), 2, weights)
  return sum:round():clamp(0, 255):cast "u8"
end

function gaussian_blur:apply(batch, rng)
  local x, o = batch.image, self.options
  local n = x:size(1)
  local blurred = self:blur(x, pictures.between(rng, o.sigma[1], o.sigma[2], n):cast "f32")
  if o.prob < 1 then
    local which = rng:bernoulli(o.prob, { n, 1, 1, 1 })
    blurred = core.ops.where(which, blurred, x)
  end
  batch.image = blurred
end

return gaussian_blur
