-- internal/dtypes.lua: which dtypes are floats, and which of them are narrow.
local core = require "icl.core"

local dtypes = {}

-- By the name of each float dtype true.
dtypes.floats = { f32 = true, f64 = true, bf16 = true, f16 = true }

local narrow = { bf16 = true, f16 = true }

-- dtypes.is_narrow(x) -> has the tensor or state 16 bits?
function dtypes.is_narrow(x)
  return narrow[x:dtype()] == true
end

-- dtypes.wide(x) -> the tensor or state, as f32 if it has 16 bits.
function dtypes.wide(x)
  return dtypes.is_narrow(x) and core.ops.cast(x, { dtype = "f32" }) or x
end

return dtypes
