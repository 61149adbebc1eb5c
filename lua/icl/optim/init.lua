-- optim: optimizers, each Lua over update ops; icl.optim.names lists them.
return require "icl.lazy"({}, "icl.optim", { "sgd" })
