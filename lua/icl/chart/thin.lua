-- chart/thin.lua: fewer points of a curve that look the same.

-- thin(xs, ys, buckets) -> xs, ys: of the points in each of so many equal parts of the range of xs, which ascend, the
-- lowest and the highest, and the first and the last of all. So no extreme is lost.
local function thin(xs, ys, buckets)
  local count = #xs
  if count <= 2 * buckets then return xs, ys end
  local new_xs, new_ys = { xs[1] }, { ys[1] }
  local function keep(i)
    if i and i ~= 1 and i ~= count then new_xs[#new_xs + 1], new_ys[#new_ys + 1] = xs[i], ys[i] end
  end
  local scale = buckets / (xs[count] - xs[1])
  local bucket, low, high = -1, nil, nil
  local function flush()
    if not low then return end
    keep(math.min(low, high))
    if low ~= high then keep(math.max(low, high)) end
  end
  for i = 1, count do
    local own = math.floor((xs[i] - xs[1]) * scale)
    if own ~= bucket then
      flush()
      bucket, low, high = own, i, i
    else
      if ys[i] < ys[low] then low = i end
      if ys[i] > ys[high] then high = i end
    end
  end
  flush()
  new_xs[#new_xs + 1], new_ys[#new_ys + 1] = xs[count], ys[count]
  return new_xs, new_ys
end

return thin
