-- internal/exists.lua: exists(path) -> is there something of this name that can be opened?
return function(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end
