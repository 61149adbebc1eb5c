-- internal/datasets.lua: what is known of sets of images by their names.
local datasets = {
  -- The words of --dataset.
  names = { "fashion_mnist", "mnist", "kmnist", "cifar10", "cifar100", "imagenet", "folder" },
  -- Folders of image files; the others are in memory.
  folders = { imagenet = true, folder = true },
  -- Mirrored digits are others, or none.
  not_mirrored = { mnist = true, kmnist = true },
  -- Policies of auto_augment that were found for such images; for others it is that of ImageNet.
  policies = { cifar10 = "cifar10", cifar100 = "cifar10" },
  -- Sets of one's own, which no figures were published for.
  own = { folder = true, own = true },
}

return datasets
