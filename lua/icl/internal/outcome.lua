-- internal/outcome.lua: what failed although the program went on; it ends with exit code 1 then.
local outcome = {}

-- outcome.fail(text): the program has failed; `text` says in what.
function outcome.fail(text)
  outcome.failure = outcome.failure or text
end

return outcome
