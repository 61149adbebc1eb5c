-- commands/help.lua: `icl help [WORD]`: what help() at the prompt says about a word or a name such as icl.nn.conv2d,
-- and where a command explains itself.
local core = require "icl.core"
local help = require "icl.help"

return function(words)
  if #words > 1 then
    io.stderr:write("icl help: one word, for example icl help conv2d\n")
    return 2
  end
  local word = words[1]
  if word and core.modules()["icl.commands." .. word] then
    io.stdout:write(("There is a command of that name: icl %s --help\n\n"):format(word))
  end
  io.stdout:write(help.text(table.unpack(words)), "\n")
end
