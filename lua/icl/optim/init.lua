-- optim: optimizers, each Lua over ops. `define` makes more of them; `from_options` makes what --optimizer says.
return require "icl.internal.lazy"({}, "icl.optim", { "sgd", "lars", "adam", "adabound", "define", "from_options" })
