-- tensor/products.lua: products of many matrices at once, as one convolution of 1 x 1 in groups: each matrix is a
-- group, its rows are pixels, and all are computed together.
local core = require "icl.core"
local ops = core.ops

-- products(rows, columns): rows (m, count, k), columns (k, count, n) -> (m, count, n), a product for each of `count`.
return function(rows, columns)
  local m, count, k = table.unpack(rows:shape())
  local n = columns:size(3)
  if m * count * k * n == 0 then  -- nothing is multiplied, but gradients have their shapes
    local empty = ops.sum(rows, { dims = { 3 }, keepdim = true }) + ops.sum(columns, { dims = { 1 }, keepdim = true })
    return empty:cast(rows:dtype() == "f64" and "f64" or "f32")
  end
  columns = columns:cast(rows:dtype() == "f64" and "f64" or "f32")  -- as convolutions take their weights
  local y = ops.conv2d(ops.reshape(rows, { shape = { 1, 1, m, count * k } }),
    ops.reshape(columns, { shape = { 1, 1, k, count * n } }), { groups = count })
  return ops.reshape(y, { shape = { m, count, n } })
end
