-- check.lua: what the tests in Lua share. Each test file begins with
--
--   local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
--
-- and ends with check.close(), which prints "N passed, N failed" and leaves the program.
local check = { passed = 0, failed = 0 }

-- An error about the line of the test that called a check.
local function complain(format, ...)
  error(format:format(...), 3)
end

-- check.equal(a, b): an error unless a == b.
function check.equal(a, b)
  if a ~= b then complain("%s, not %s", tostring(a), tostring(b)) end
end

-- check.near(a, b, tolerance): an error unless |a - b| <= tolerance.
function check.near(a, b, tolerance)
  if not (math.abs(a - b) <= tolerance) then complain("%.9g, not %.9g within %g", a, b, tolerance) end
end

-- check.raises(f, pattern): an error unless f raises one whose text matches the pattern; -> the text.
function check.raises(f, pattern)
  local ok, message = pcall(f)
  if ok then complain("no error; expected one with '%s'", pattern) end
  message = tostring(message)
  if not message:find(pattern) then complain("the error is '%s'; expected '%s'", message, pattern) end
  return message
end

-- check(name, f): one test; f raises an error where it fails.
local function test(_, name, f)
  local ok, message = xpcall(f, debug.traceback)
  if ok then
    check.passed = check.passed + 1
  else
    check.failed = check.failed + 1
    print(("failed: %s\n  %s"):format(name, message))
  end
end

function check.close()
  print(("%d passed, %d failed"):format(check.passed, check.failed))
  os.exit(check.failed == 0 and 0 or 1, true)
end

return setmetatable(check, { __call = test })
