-- test_json.lua: JSON texts, and back.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local encode = require "icl.json".encode

check("values", function()
  check.equal(encode(nil), "null")
  check.equal(encode(false), "false")
  check.equal(encode(-7), "-7")
  check.equal(encode(0.1), "0.1")
  check.equal(encode(1 / 0), "null")
  check.equal(encode(0 / 0), "null")
  check.equal(encode "a\"b\\c\n\1/", '"a\\"b\\\\c\\n\\u0001/"')
  check.equal(encode {}, "[]")
  check.equal(encode { 1, { 2 }, "x" }, '[1,[2],"x"]')
  check.equal(encode { b = 1, a = { true } }, '{"a":[true],"b":1}')
end)

check("numbers come back as they were", function()
  for _, x in ipairs { 1 / 3, 1e300, 5e-324, -2.5, 2 ^ 53 + 2.0, math.maxinteger, math.mininteger } do
    check.equal(core.json_decode(encode(x)), x)
  end
end)

check("texts come back as they were", function()
  local bytes = {}
  for i = 0, 127 do bytes[i + 1] = string.char(i) end
  local text = table.concat(bytes) .. "é"
  check.equal(core.json_decode(encode(text)), text)
end)

check("what has no form in JSON", function()
  check.raises(function() encode(print) end, "a function has no form in JSON")
  check.raises(function() encode { a = 1, [true] = 2 } end, "the key true beside names")
end)

check.close()
