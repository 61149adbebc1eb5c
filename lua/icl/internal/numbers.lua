-- internal/numbers.lua: rounding, counting, and numbers as text, which have a point in every locale.
local numbers = {}

-- numbers.read(text) -> the number that a text is, or nil.
function numbers.read(text)
  if not text:find "^[%w%s%.%+%-]*$" then return nil end
  return tonumber(text)
end

-- The values, NaN without the sign that some have.
local function unsigned(...)
  local values = table.pack(...)
  for i = 1, values.n do
    if values[i] ~= values[i] then values[i] = math.abs(values[i]) end
  end
  return table.unpack(values, 1, values.n)
end

-- numbers.format(format, ...) -> as string.format, but with a point in every locale, and every NaN is "nan".
function numbers.format(format, ...)
  local locale = os.setlocale(nil, "numeric")
  if locale == "C" then return format:format(unsigned(...)) end
  local restore <close> = setmetatable({}, { __close = function() os.setlocale(locale, "numeric") end })
  os.setlocale("C", "numeric")
  return format:format(unsigned(...))
end

-- numbers.text(value) -> as tostring, but with a point in every locale.
function numbers.text(value)
  return numbers.format("%s", value)
end

-- numbers.exact(x) -> the shortest text that tonumber makes the same finite number of.
function numbers.exact(x)
  if math.type(x) == "integer" then return ("%d"):format(x) end
  local short = numbers.format("%.15g", x)
  return tonumber(short) == x and short or numbers.format("%.17g", x)
end

-- numbers.round(x) -> the integer nearest to x; of two that are as near, the even one.
function numbers.round(x)
  local below = math.floor(x)
  local rest = x - below
  if rest > 0.5 or (rest == 0.5 and below % 2 == 1) then return below + 1 end
  return below
end

-- numbers.sequence(n [, first]) -> the list 0, 1, ..., n - 1, or n numbers from `first` on.
function numbers.sequence(n, first)
  local list = {}
  for i = 1, n do list[i] = (first or 0) + i - 1 end
  return list
end

return numbers
