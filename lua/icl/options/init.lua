-- options: the command line of a recipe.
--
--   local opt = icl.options "ResNet on small images"
--     : value("depth", 20, "layers", { min = 8 })
--     : include(icl.options.data, icl.options.augmentation, icl.options.training)
--     : preset("paper", { depth = 110, epochs = 160 }, "the network of the paper")
--     : results "CIFAR-10, test error in %" [[
--              | epochs=200  400
--       plain: | 7.60        7.05
--       mixup  | 7.24        6.66
--     ]]
--     : parse(arg)
--
-- An option that means nothing unless another has a certain value says so, { only = { mixup = true } }; typing it
-- without that is an error. An option is called base_lr in Lua and --base-lr on the command line. Its type is that of
-- its default. A preset gives several options at once; what stands on the command line beats it, wherever it stands. So
-- does --result with the settings of a published figure, --result mixup/epochs=400; how the tables are written is in
-- options/notation.lua.
--
-- The methods of a list are options:value, options:flag, options:choice, options:include, options:take,
-- options:default, options:preset, options:results, options:check, options:derive, options:after, options:neutral,
-- options:example, options:names and options:parse; help "options:value" tells more.
local new = require "icl.options.list"

-- icl.options(title) -> an empty list of options. icl.options.data, .augmentation, .training and .runtime are groups to
-- include; the last one has those of .logging and .engine.
local options = { names = { "data", "augmentation", "training", "runtime" } }

return setmetatable(options, {
  __call = function(_, title) return new(title) end,
  __index = function(self, name)
    local group = require "icl.options.groups"[name]
    if group then rawset(self, name, group) end
    return group
  end,
})
