-- internal/stored_as.lua: stored_as[precision] -> the dtype of activations with a word of --precision.
return { f32 = "f32", tf32 = "f32", bf16 = "bf16", f16 = "f16", ["f16-pure"] = "f16" }
