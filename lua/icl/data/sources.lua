-- data/sources.lua: where the image sets are offered, and the MD5 of each file as their publishers and torchvision give
-- it. A mirror is tried where those before it fail. An archive is unpacked; files without one are the set themselves.
local cifar = "https://www.cs.toronto.edu/~kriz/"

return {
  cifar10 = {
    mirrors = { cifar },
    archive = true,
    files = { { "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530" } },
  },
  cifar100 = {
    mirrors = { cifar },
    archive = true,
    files = { { "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8" } },
  },
  fashion_mnist = {
    mirrors = { "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/" },
    files = {
      { "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
      { "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe" },
      { "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79" },
      { "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310" },
    },
  },
  kmnist = {
    mirrors = { "http://codh.rois.ac.jp/kmnist/dataset/kmnist/" },
    files = {
      { "train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7" },
      { "train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344" },
      { "t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7" },
      { "t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134" },
    },
  },
  mnist = {
    mirrors = {
      "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
    },
    files = {
      { "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873" },
      { "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432" },
      { "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3" },
      { "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c" },
    },
  },
}
