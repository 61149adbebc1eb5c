-- commands/help.lua: `icl help [WORD]`: what help() at the prompt says about a word or a name such as icl.nn.conv2d,
-- and where a command explains itself; `icl help --html [DIR]`: the whole reference as a page.
local core = require "icl.core"
local help = require "icl.help"

local usage = [[
icl help                  what there is
icl help WORD             about a word or a name: icl help conv2d, icl help m:save, icl help pytorch
icl help --html [DIR]     the whole reference as one page with a search: DIR/index.html, or a file NAME.html
                          (default: icl.html)
]]

local function write_page(path)
  io.stdout:write(require "icl.help.html".write(path), "\n")
  return 0
end

return function(words)
  local word = words[1]
  if word == "--html" and #words <= 2 then return write_page(words[2] or "icl.html") end
  if word == "--help" or word == "-h" then
    io.stdout:write(usage)
    return 0
  end
  if #words > 1 or word and word:sub(1, 1) == "-" then
    io.stderr:write("icl help: one word, for example icl help conv2d, or --html DIR\n")
    return 2
  end
  local is_command = word and core.modules()["icl.commands." .. word]
  if is_command then io.stdout:write(("There is a command of that name: icl %s --help\n\n"):format(word)) end
  local text, is_nothing = help.text(table.unpack(words))
  if is_nothing and not is_command then
    io.stderr:write("icl help: ", text, "\n")
    return 1
  end
  io.stdout:write(text, "\n")
  return 0
end
