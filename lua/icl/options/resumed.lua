-- options/resumed.lua: the options of a run that goes on: those that it had.
local arguments = require "icl.internal.arguments"
local find = require "icl.runs.find"
local help = require "icl.options.help"
local options_file = require "icl.runs.options_file"
local rules = require "icl.internal.rules"

-- The switches of a list that a run that goes on may have with other values: "--epochs, --threads".
local function changeable(list)
  local names = {}
  for _, spec in ipairs(list.order) do
    if spec.may_change then names[#names + 1] = "--" .. spec.name:gsub("_", "-") end
  end
  return table.concat(names, ", ")
end

-- The values of a run as the options of the list have them, with `anyway` those that there are; or nil and what does
-- not fit.
local function saved_values(list, path, saved, anyway)
  local values = list:defaults()
  for _, name in ipairs(arguments.names(saved)) do
    local spec = list.specs[name]
    local value, expected
    if spec then value, expected = rules.check(spec, saved[name]) end
    if not spec and not anyway then
      return nil, ("--resume: the run was begun by another version of this recipe: %s has the option %s, which is not "
        .. "there any more; --resume-anyway goes on without it"):format(path, name)
    elseif expected then
      return nil, ("--resume: %s: %s is %s; it must be %s"):format(path, name, rules.shown(saved[name]), expected)
    end
    values[name] = value
  end
  return values
end

-- The folder of the run that `--resume` means, or nil and a message.
local function folder_of(given, script, preset)
  if given.resume ~= "" then
    local folder = find.folder_of(given.resume)
    return folder, ("%s lies in no folder of a run, whose options.lua says how it goes on"):format(given.resume)
  end
  return find.unfinished(find.recipe_name(script), preset)
end

-- Puts what is given beside the values of a run; -> a message about what a run that goes on cannot have otherwise.
local function merge(list, values, given, folder)
  for _, spec in ipairs(list.order) do
    local value = spec.name and given[spec.name]
    if value ~= nil then
      local differs = rules.exact(value) ~= rules.exact(values[spec.name])
      if differs and not (spec.may_change or spec.transient or given.resume_anyway) then
        return ("%s: the run in %s has %s, and goes on with what it had; given may be %s, and with --resume-anyway "
          .. "anything"):format(help.written(spec.name, value), folder,
          values[spec.name] == nil and "none" or help.written(spec.name, values[spec.name]), changeable(list))
      end
      values[spec.name] = value
    end
  end
end

local function base_name(path)
  return path:match "[^/]*$"
end

-- A message where the run is one of another recipe; a recipe may have been moved.
local function other_recipe(recipe, script, folder)
  if not (recipe and script) or base_name(recipe) == base_name(script) then return nil end
  return ("--resume: the run in %s is one of %s; with --resume-anyway %s goes on with it"):format(folder, recipe,
    script)
end

-- resumed(list, script, given, preset, result) -> the values of options for a command line with --resume, and where
-- they came from, as for other command lines; or nil and a message. preset, result: names that were given, or nil.
local function resumed(list, script, given, preset, result)
  local folder, message = folder_of(given, script or "icl", preset)
  if not folder then return nil, "--resume: " .. message end
  local saved
  saved, message = options_file.read(folder .. "/options.lua")
  if not saved then return nil, "--resume: " .. message end
  for name, wanted in pairs { preset = preset, result = result } do
    if wanted ~= saved[name] then
      return nil, ("--%s %s: the run in %s has %s"):format(name, wanted, folder,
        saved[name] and ("--%s %s"):format(name, saved[name]) or "none")
    end
  end
  if not given.resume_anyway then message = other_recipe(saved.recipe, script, folder) end
  if message then return nil, message end
  local values
  values, message = saved_values(list, folder .. "/options.lua", saved.options, given.resume_anyway)
  message = message or merge(list, values, given, folder)
  if message then return nil, message end
  values.resume = given.resume ~= "" and given.resume or folder
  return values, { list = list, given = given, presets = { saved.preset }, result = saved.result, notes = {} }
end

return resumed
