-- options/words.lua: command lines that name things beside their options: icl compare RUN... --csv.
local words = {}

-- words.split(list, words) -> the words that are no options of a list, and those that are, with their values, for
-- list:parse; what follows -- is no option.
function words.split(list, line)
  local others, own, i = {}, { [0] = line[0] }, 1
  while i <= #line do
    local word = line[i]
    local spec = list.specs[word:sub(3):gsub("-", "_")]
    if word == "--" then
      table.move(line, i + 1, #line, #others + 1, others)
      break
    elseif word:sub(1, 1) ~= "-" or word == "-" then
      others[#others + 1] = word
    else
      own[#own + 1] = word
      if word:sub(1, 2) == "--" and spec and spec.type ~= "boolean" and line[i + 1] then
        i = i + 1
        own[#own + 1] = line[i]
      end
    end
    i = i + 1
  end
  return others, own
end

return words
