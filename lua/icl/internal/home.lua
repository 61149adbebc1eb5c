-- internal/home.lua: home(path) -> the path with the home folder in place of a ~ at its beginning, which a shell leaves
-- in --data=~/images and nothing replaces in a variable's value. The functions of the core do it themselves; those of
-- Lua, such as io.open, do not.
return function(path)
  local rest, home = path:match "^~(/.*)$" or path == "~" and "", os.getenv "HOME"
  return rest and home and home .. rest or path
end
