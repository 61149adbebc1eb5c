-- optim: optimizers, each Lua over ops. `define` makes more of them; `from_options` makes what --optimizer says. `sam`
-- and `lookahead` wrap another one.
return require "icl.internal.lazy"({}, "icl.optim", {
  "sgd", "lars", "adam", "adamw", "nadam", "adabound", "rmsprop", "lion", "lamb", "muon", "sam", "lookahead", "define",
  "from_options",
})
