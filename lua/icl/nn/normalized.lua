-- nn/normalized.lua: normalized(x, dims, eps) -> x with mean 0 and biased variance 1 over some axes, in f32.
return function(x, dims, eps)
  local deviation = x - x:mean(dims, true)
  return deviation / ((deviation * deviation):mean(dims, true) + eps):sqrt()
end
