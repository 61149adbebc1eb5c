-- optim/from_options.lua: the optimizer that the options of a recipe ask for.
local arguments = require "icl.arguments"

-- For each word of --optimizer, which optimizer it means and what it is given: an option of the recipe, by its name, or
-- a constant.
local choices = {
  sgd = { "sgd", momentum = "momentum", nesterov = "nesterov" },
  lars = { "lars", momentum = "momentum", eps = "lars_eps", threshold = "lars_threshold" },
  adam = { "adam", betas = "betas" },
  amsgrad = { "adam", betas = "betas", amsgrad = true },
  adabound = { "adabound", betas = "betas", base_lr = "base_lr", final_lr = "final_lr", gamma = "gamma" },
  adaboundw = { "adabound", betas = "betas", base_lr = "base_lr", final_lr = "final_lr", gamma = "gamma",
                decoupled = true },
}

local from_options = { names = arguments.names(choices) }

-- icl.optim.from_options(model, options) -> an optimizer; options as those of icl.options.training.
--
-- Subdivided batches: each part's loss is weighed with its share of the images, so that the gradient is that of the
-- whole batch. The compatible form adds up the parts' means, clips that sum and divides by the number of parts asked
-- for.
local function new(_, model, options)
  local choice = choices[arguments.choice("optimizer", options.optimizer, from_options.names)]
  local given = {
    weight_decay = options.weight_decay, decay = options.decay, gradient_clip = options.gradient_clip,
    divide = options.compatible and options.subdivision or 1,
  }
  for name, value in pairs(choice) do
    if type(value) == "string" then value = options[value] end
    if type(name) == "string" then given[name] = value end
  end
  return require("icl.optim." .. choice[1])(model, given)
end

return setmetatable(from_options, { __call = new })
