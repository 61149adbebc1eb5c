-- internal/is_loader.lua: is_loader(value): is it a loader, be it of icl.data or of one's own with the same fields?
return function(value)
  return type(value) == "table" and type(value.indices) == "function" and type(value.batch) == "function"
end
