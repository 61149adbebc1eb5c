-- augment/stage.lua: the base of stages. The file of a stage returns a class, which is called to make one:
--
--   local invert = stage.class("invert", icl.options "augment.invert" : value("prob", 0.5, "share of the images"))
--   function invert:apply(batch, rng) ... end      -- changes batch.image or batch.target; self.options has the values
--
-- What a stage draws and what it does with the draws are functions of their own, so that draws can be given. A stage
-- that does not suit every size of image has a function problem(height, width) -> what is wrong with it, or nil; {name}
-- in it stands for an option.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local rules = require "icl.internal.rules"

local stage = {}

local classes = setmetatable({}, { __mode = "k" })

-- stage.is_class(value): is it a class of stages, which is to be called?
function stage.is_class(value)
  return classes[value] == true
end

-- stage.call(what, f, batch, rng): calls a function that changes a batch; an error where it returns what it made
-- instead, which would be lost, or where the batch has no images behind it. what: what the function is.
function stage.call(what, f, batch, rng)
  local result = f(batch, rng)
  if result ~= nil and result ~= batch then
    fail("%s returned %s, which nothing is done with; what it makes of the images belongs into the batch: "
      .. "batch.image = ...", what, arguments.described(result))
  end
  local image = rawget(batch, "image")
  local kind = type(image)
  if kind ~= "userdata" and kind ~= "table" then
    fail("%s left %s as batch.image; it must be a tensor", what, arguments.described(image))
  end
end

-- What all stages have.
local Stage = {}

-- stage:problem(height, width) -> what is wrong with images of this size, or nil.
function Stage:problem() end

-- An error unless the stage suits images of this size.
function Stage:check_size(height, width)
  local problem = self:problem(height, width)
  if problem then fail(("augment.%s: %s"):format(self.name, problem)) end
end

local function described(self)
  local options, texts = self.options, {}  -- "random_crop(fill 0, padding 4)"
  for i, name in ipairs(arguments.names(options)) do
    texts[i] = ("%s %s"):format(name, rules.exact(options[name]))
  end
  return ("%s(%s)"):format(self.name, table.concat(texts, ", "))
end

-- stage.class(name, options [, base]) -> a class of stages; `options` is the list of what its constructor takes; what
-- the class lacks is taken from `base`.
function stage.class(name, options, base)
  local class = { name = name, options = options }
  class.__index, class.__tostring = class, described
  classes[class] = true
  return setmetatable(class, {
    __index = base or Stage,
    __call = function(_, given, ...)
      arguments.no_more("augment." .. name, "one table of options", ...)
      return setmetatable({ options = options:complete("augment." .. name, given) }, class)
    end,
  })
end

return stage
