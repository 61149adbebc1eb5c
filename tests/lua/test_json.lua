-- test_json.lua: JSON texts, and back.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local encode, decode = icl.json.encode, icl.json.decode

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
    check.equal(decode(encode(x)), x)
  end
end)

check("texts come back as they were", function()
  local bytes = {}
  for i = 0, 127 do bytes[i + 1] = string.char(i) end
  local text = table.concat(bytes) .. "é"
  check.equal(decode(encode(text)), text)
end)

check("bytes that are no UTF-8 are replaced", function()
  check.equal(encode "n\xff.jpg", '"n\u{fffd}.jpg"')
  check.equal(encode { ["\xc3"] = "\xed\xa0\x80é\xc0\x80" }, '{"\u{fffd}":"\u{fffd}\u{fffd}\u{fffd}é\u{fffd}\u{fffd}"}')
end)

check("texts that are JSON already", function()
  check.equal(encode { a = icl.json.verbatim '{"b": {}}', c = { icl.json.verbatim "1" } }, '{"a":{"b": {}},"c":[1]}')
end)

check("what has no form in JSON", function()
  check.raises(function() encode(print) end, "a function has no form in JSON")
  check.raises(function() encode { a = 1, [true] = 2 } end, "the key true beside names")
  check.raises(function() encode { 1, nil, 3 } end, "a list has a hole")
  check.raises(function() encode { 1, a = 2 } end, "a list has a hole, or names")
end)

check("a table that holds itself is an error, one that is there twice is not", function()
  local shared = { 1 }
  check.equal(encode { shared, { shared } }, "[[1],[[1]]]")
  local list, object = { 1 }, {}
  list[2], object.inner = { list }, { object = object }
  check.raises(function() encode(list) end, "a table holds itself")
  check.raises(function() encode(object) end, "a table holds itself")
end)

check("what is not JSON", function()
  check.raises(function() decode "[1," end, "line 1")
  check.raises(function() decode(7) end, "icl.json.decode: it takes a text, not 7")
end)

check.close()
