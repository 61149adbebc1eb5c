-- recipes.lua: the recipes in recipes/ as far as the call of icl.fit, for the tests of what they give it.
local core = require "icl.core"
local icl = require "icl"

icl.configure { device = "ref" }  -- which has all precisions

local recipes = { folder = (arg[0]:match "^(.*/)" or "./") .. "../../recipes/" }

recipes.sets = {
  cifar10 = { shape = { 32, 32, 3 }, classes = 10 },
  fashion_mnist = { shape = { 28, 28, 1 }, classes = 10 },
  imagenet = { shape = { 224, 224, 3 }, classes = 1000, form = "imagenet" },
}
local sets = recipes.sets
sets.mnist, sets.kmnist = sets.fashion_mnist, sets.fashion_mnist

-- First weights are of no interest here, and large models are made faster of zeros.
icl.nn.initial.kaiming = function(shape) return core.full(shape, 0) end

-- recipes.names() -> the names of all recipes.
function recipes.names()
  local listing, names = io.popen(("ls -1 '%s'"):format(recipes.folder)), {}
  for file in listing:lines() do names[#names + 1] = file:match "^(.*)%.lua$" end
  listing:close()
  return names
end

-- recipes.given_to_fit(name, ...) -> what a recipe hands to icl.fit with these words on the command line, and its list
-- of options; data sets are not read.
function recipes.given_to_fit(name, ...)
  local given, declared
  local library = setmetatable({
    data = { open = function(opt)
      local set, _ = sets[opt.dataset], opt.data  -- which is read, or it would be told that nothing does
      return set, set, set
    end },
    fit = function(values) given = values end,
    options = setmetatable({}, { __index = icl.options, __call = function(_, title)
      declared = icl.options(title)
      return declared
    end }),
  }, { __index = icl })
  local environment = setmetatable({
    arg = { [0] = name, ... },
    require = function(module) return module == "icl" and library or require(module) end,
  }, { __index = _G })
  assert(loadfile(recipes.folder .. name .. ".lua", "t", environment))()
  return given, declared
end

return recipes
