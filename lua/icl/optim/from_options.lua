-- optim/from_options.lua: the optimizer that the options of a recipe ask for.
local arguments = require "icl.internal.arguments"
local adabound = require "icl.optim.adabound"
local adam = require "icl.optim.adam"
local adamw = require "icl.optim.adamw"
local lamb = require "icl.optim.lamb"
local lars = require "icl.optim.lars"
local lion = require "icl.optim.lion"
local lookahead = require "icl.optim.lookahead"
local muon = require "icl.optim.muon"
local nadam = require "icl.optim.nadam"
local rmsprop = require "icl.optim.rmsprop"
local sam = require "icl.optim.sam"
local sgd = require "icl.optim.sgd"

-- For each word of --optimizer, which optimizer it means; the options of the recipe that it is given, by its own names
-- for them; and constants.
local bounds = { betas = "betas", base_lr = "base_lr", final_lr = "final_lr", gamma = "gamma" }
local choices = {
  sgd = { make = sgd, options = { momentum = "momentum", nesterov = "nesterov" } },
  lars = { make = lars, options = { momentum = "momentum", eps = "lars_eps", threshold = "lars_threshold" } },
  adam = { make = adam, options = { betas = "betas" } },
  adamw = { make = adamw, options = { betas = "betas" } },
  nadam = { make = nadam, options = { betas = "betas" } },
  lamb = { make = lamb, options = { betas = "betas" } },
  lion = { make = lion, options = { betas = "lion_betas" } },
  rmsprop = { make = rmsprop, options = { alpha = "rmsprop_alpha", centered = "rmsprop_centered",
                                          momentum = "rmsprop_momentum" } },
  muon = { make = muon, options = { momentum = "muon_momentum", nesterov = "nesterov", adjust_lr = "muon_adjust_lr",
                                    adamw_lr_scale = "muon_adamw_lr_scale", betas = "betas" } },
  amsgrad = { make = adam, options = { betas = "betas" }, constants = { amsgrad = true } },
  adabound = { make = adabound, options = bounds },
  adaboundw = { make = adabound, options = bounds, constants = { decoupled = true } },
}

local from_options = { names = arguments.names(choices) }

-- icl.optim.from_options(options, model) -> an optimizer of the parameters of a module, or of groups of them; options
-- as those of icl.options.training. sam_rho and lookahead wrap it.
--
-- Subdivided batches: each part's loss is weighed with its share of the images, so that the gradient is that of the
-- whole batch. As published, one adds up the parts' means, clips that sum and divides by the number of parts asked
-- for.
local function new(_, options, model, ...)
  arguments.no_more("icl.optim.from_options", "a table of options and a module", ...)
  arguments.typed("icl.optim.from_options", options, "table", "a table of options, and a module")
  local choice = choices[arguments.choice("optimizer", options.optimizer, from_options.names)]
  local given = {
    weight_decay = options.weight_decay, weight_decay_of = options.weight_decay_of,
    gradient_clip = options.gradient_clip, divide = options.as_published and options.subdivision or 1,
  }
  for name, option in pairs(choice.options) do given[name] = options[option] end
  for name, value in pairs(choice.constants or {}) do given[name] = value end
  local optimizer = choice.make(model, given)
  if (options.sam_rho or 0) > 0 then
    optimizer = sam(optimizer, { rho = options.sam_rho, adaptive = options.sam_adaptive,
                                 model = model.named_parameters and model or nil })
  end
  if (options.lookahead or 0) > 0 then
    optimizer = lookahead(optimizer, { k = options.lookahead, alpha = options.lookahead_alpha })
  end
  return optimizer
end

return setmetatable(from_options, { __call = new })
