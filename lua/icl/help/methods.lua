-- help/methods.lua: what the built-in methods of tensors and states do, which have no source in Lua to read it from.
local core = require "icl.core"

local methods = {}

local tensor = {
  backward = "t:backward([scale]): gradients of this one number, which optimizers and w.grad of states then have; with "
    .. "a scale, a tensor of one element, they go by way of those of scale * t: see icl.grad_scaler.",
  bytes = "t:bytes() -> its elements as they lie in memory, a string.",
  count = "t:count() -> how many elements it has.",
  dtype = "t:dtype() -> the name of its dtype: \"f32\".",
  item = "t:item() -> its only element, a number.",
  keep = "t:keep(): its value outlives the step; returns it.",
  rank = "t:rank() -> how many axes it has.",
  requires_grad = "t:requires_grad(): gradients with respect to this constant are asked for; returns it.",
  shape = "t:shape() -> the list of its sizes.",
  size = "t:size(axis) -> its size along an axis; from 1, negative from the end.",
  totable = "t:totable() -> its elements in nested tables; the element itself for rank 0.",
}

local state = {
  clear_grad = "s:clear_grad(): forgets what backward() left in this step.",
  count = "s:count() -> how many elements it has.",
  dtype = "s:dtype() -> the name of its dtype: \"f32\".",
  freeze = "s:freeze([on]): not trained, or again with false; returns itself.",
  get = "s:get() -> its elements in nested tables.",
  rank = "s:rank() -> how many axes it has.",
  read = "s:read() -> a tensor, the version that ops recorded now would read.",
  rename = "s:rename(name): what messages call it.",
  set = "s:set(value): a number for every element, a tensor, a table or a string of bytes, at once; not inside a step.",
  set_dtype = "s:set_dtype(dtype): its value has another dtype from now on; not inside a step.",
  shape = "s:shape() -> the list of its sizes.",
  write = "s:write(value [, predicate]): its next version; with a predicate, one element, only where that is not 0.",
}

-- By what a value of the type is called in texts: t, s.
methods.of = { t = tensor, s = state }

-- The text about the function f, one of the methods `of` a type.
local function find(texts, of, f)
  for name, text in pairs(texts) do
    if of[name] == f then return text end
  end
  return nil
end

-- methods.text(f) -> what a built-in method does; nil for other functions.
function methods.text(f)
  return find(tensor, core.tensor_methods, f) or find(state, debug.getregistry()["icl.state"].methods, f)
end

return methods
