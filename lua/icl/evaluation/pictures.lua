-- evaluation/pictures.lua: which picture files the words of a command line mean.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local is_picture = core.is_image_name

local DEEPEST = 16  -- folders in folders; links may lead back to where they lie

-- Adds the pictures among the entries of a folder, whose names are given, and in the folders below it.
local function add_folder(list, folder, names, depth)
  if depth > DEEPEST then
    fail("%s: there are more than %d folders in folders; does a link lead back?", core.printable(folder), DEEPEST)
  end
  for _, name in ipairs(names) do
    local path = folder:gsub("(.)/+$", "%1") .. "/" .. name
    local seen = name:sub(1, 1) ~= "."
    if seen and core.file_kind(path) == "folder" then
      local below, message = core.list_folder(path)
      if not below then fail("%s", message) end
      add_folder(list, path, below, depth + 1)
    elseif seen and is_picture(name) then
      list[#list + 1] = path
    end
  end
end

-- pictures(words) -> list of paths. A word is a file, a folder with pictures, or - for the paths on the lines of
-- standard input.
local function pictures(words)
  local list = {}
  for _, word in ipairs(words) do
    local before, names = #list, core.list_folder(word)
    if word == "-" then
      for line in io.lines() do
        if line:find "\0" then fail "-: standard input is no list of paths, of which - reads one on each line" end
        if line ~= "" then list[#list + 1] = line end
      end
    elseif names then
      add_folder(list, word, names, 0)
      if #list == before then fail("%s: there is no picture in this folder", core.printable(word)) end
    else
      list[#list + 1] = word
    end
  end
  return list
end

return pictures
