-- models: networks; icl.models.names lists them.
return require "icl.lazy"({}, "icl.models", { "resnet_preact" })
