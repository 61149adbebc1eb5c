-- augment: what happens to the images of a batch between the set and the network, as recorded ops.
--
--   local chain = augment.chain {
--     augment.random_crop { padding = 4 }, augment.hflip {}, augment.normalize {}, augment.cutout { size = 16 },
--     function(batch, rng) batch.image = batch.image + 0.01 * rng:normal(batch.image:shape()) end,
--   }
--
-- A chain is a list of stages; a stage is one of those below or a function(batch, rng) that changes batch.image or
-- batch.target. Draws are those of augment/rng.lua. For an image folder the first stage may be center_crop or
-- random_resized_crop, which say how files become images; all other stages are recorded ops.
local augment = { chain = require "icl.augment.chain" }

return require "icl.internal.lazy"(augment, "icl.augment", {
  "affine", "auto_augment", "autocontrast", "center_crop", "color_jitter", "cutmix", "cutout", "dual_cutout",
  "equalize", "from_options", "gaussian_blur", "grayscale", "hflip", "invert", "mixup", "mixup_or_cutmix", "normalize",
  "perspective", "posterize", "rand_augment", "random_crop", "random_erasing", "random_resized_crop", "ricap", "rotate",
  "sharpness", "solarize", "trivial_augment", "vflip",
})
