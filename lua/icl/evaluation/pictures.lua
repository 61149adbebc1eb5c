-- evaluation/pictures.lua: which picture files the words of a command line mean.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local is_picture = core.is_image_name

-- Adds the pictures in a folder and in those below it, by name.
local function add_folder(list, folder)
  local entries, reason = core.folder_entries(folder)
  if not entries then fail(reason) end
  for _, name in ipairs(arguments.names(entries)) do
    local path = folder:gsub("(.)/+$", "%1") .. "/" .. name
    if name:sub(1, 1) == "." then goto continue end
    if entries[name] then
      add_folder(list, path)
    elseif is_picture(name) then
      list[#list + 1] = path
    end
    ::continue::
  end
end

-- pictures(words) -> list of paths. A word is a file, a folder with pictures, or - for the paths on the lines of
-- standard input.
local function pictures(words)
  local list = {}
  for _, word in ipairs(words) do
    local before = #list
    if word == "-" then
      for line in io.lines() do
        if line ~= "" then list[#list + 1] = line end
      end
    elseif core.folder_entries(word) then
      add_folder(list, word)
      if #list == before then fail("%s: there is no picture in this folder", core.printable(word)) end
    else
      list[#list + 1] = word
    end
  end
  return list
end

return pictures
