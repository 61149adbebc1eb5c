-- augment/angles.lua: sines and cosines of angles that are drawn in a step, and what turns images by them.
local angles = {}

-- 1 - x^2 / (a (a + 1)) (1 - x^2 / ((a + 2) (a + 3)) (1 - ...)), to the precision of f64 for |x| up to pi.
local function series(square, first)
  local sum = square * 0 + 1
  for k = first + 26, first, -2 do sum = 1 - square * (1 / (k * (k + 1))) * sum end
  return sum
end

-- angles.of(degrees) -> cosine, sine of f64 angles from -180 to 180 degrees.
function angles.of(degrees)
  local x = degrees * math.rad(1)
  local square = x * x
  return series(square, 1), x * series(square, 2)
end

-- angles.turning(cosine, sine, h, w) -> the eight coefficients (see op warp) that turn images of a size about their
-- middle, against the hands of a clock; numbers or tensors.
function angles.turning(c, s, h, w)
  return { c, -s, (s * h - c * w + w) / 2, s, c, (-s * w - c * h + h) / 2, 0, 0 }
end

return angles
