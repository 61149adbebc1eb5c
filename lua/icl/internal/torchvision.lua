-- internal/torchvision.lua: the names that torchvision has for the states of a model, in files of weights. A model of
-- the same structure has a method torchvision_name(name) -> torchvision's name for one of its states, or nil; and may
-- have torchvision_alias(name) -> the name that old files had for what has another one now.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local torchvision = {}

local function has_names(module)
  return type(module.torchvision_name) == "function" and module:torchvision_name(module:named_states()[1].name) ~= nil
end

-- An error unless the model has names in torchvision, which `what` asks for.
function torchvision.check(what, module)
  if has_names(module) then return end
  fail("%s: names = \"torchvision\": torchvision has no such network; it has resnet, resnext, densenet and vgg in "
    .. "their form for large images, { type = \"imagenet\", depth = ... }", what)
end

-- torchvision.renaming(module) -> a function that gives the name in the module for one of torchvision's, itself for
-- others.
function torchvision.renaming(module)
  local own = {}
  for _, entry in ipairs(module:named_states()) do own[module:torchvision_name(entry.name)] = entry.name end
  return function(name)
    return own[name] or module.torchvision_alias and own[module:torchvision_alias(name)] or name
  end
end

-- How many of the tensors have one of the names of the states.
local function count_fitting(tensors, states, rename)
  local known, count = {}, 0
  for _, entry in ipairs(states) do known[entry.name] = true end
  for _, item in ipairs(tensors) do
    if known[rename(item.name)] then count = count + 1 end
  end
  return count
end

local function same(name) return name end

-- torchvision.chosen(what, module, tensors, names) -> the renaming for names = "own" or "torchvision"; nil: none is
-- needed. Where `names` is nil the file decides: torchvision's names are taken where more of them fit.
function torchvision.chosen(what, module, tensors, names)
  if names ~= nil then arguments.choice(what .. ": names", names, { "own", "torchvision" }) end
  if names == "torchvision" then torchvision.check(what, module) end
  if names == "own" or not has_names(module) then return nil end
  local renaming, states = torchvision.renaming(module), module:named_states()
  if names == "torchvision" then return renaming end
  local more = count_fitting(tensors, states, renaming) > count_fitting(tensors, states, same)
  return more and renaming or nil
end

return torchvision
