-- commands/help.lua: `icl help [WORD]`: what help() at the prompt says about a word or a name such as icl.nn.conv2d.
local help = require "icl.help"

return function(words)
  if #words > 1 then
    io.stderr:write("icl help: one word, for example icl help conv2d\n")
    return 2
  end
  io.stdout:write(help.text(table.unpack(words)), "\n")
end
