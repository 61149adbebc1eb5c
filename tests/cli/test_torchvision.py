"""Files of weights with torchvision's names and shapes, which are written here from what torchvision 0.20 has."""

from harness import Skip, close, contains, equal, folder, run, success, test, write_image_folder

try:
  import numpy as np
  from safetensors.numpy import load_file, save_file
except ImportError as error:
  np, missing = None, str(error)


def norm(name, channels):
  return [(f"{name}.weight", (channels,)), (f"{name}.bias", (channels,)), (f"{name}.running_mean", (channels,)),
          (f"{name}.running_var", (channels,)), (f"{name}.num_batches_tracked", ())]


def linear(name, inputs, outputs):
  return [(f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,))]


def resnet(counts, bottleneck, classes=1000, groups=1, width=64):
  layers = [("conv1.weight", (64, 3, 7, 7))] + norm("bn1", 64)
  inputs, expansion = 64, 4 if bottleneck else 1
  for stage, count in enumerate(counts, 1):
    planes = 64 << (stage - 1)
    middle = planes * width // 64 * groups
    for block in range(count):
      name, outputs = f"layer{stage}.{block}", planes * expansion
      if bottleneck:
        convolutions = [(middle, inputs, 1, 1), (middle, middle // groups, 3, 3), (outputs, middle, 1, 1)]
      else:
        convolutions = [(planes, inputs, 3, 3), (planes, planes, 3, 3)]
      for i, shape in enumerate(convolutions, 1):
        layers += [(f"{name}.conv{i}.weight", shape)] + norm(f"{name}.bn{i}", shape[0])
      if block == 0 and (stage > 1 or bottleneck):
        layers += [(f"{name}.downsample.0.weight", (outputs, inputs, 1, 1))] + norm(f"{name}.downsample.1", outputs)
      inputs = outputs
  return layers + linear("fc", inputs, classes)


def densenet(counts, growth, stem, old=False):
  layers = [("features.conv0.weight", (stem, 3, 7, 7))] + norm("features.norm0", stem)
  channels = stem
  dot = "." if old else ""
  for stage, count in enumerate(counts, 1):
    for layer in range(1, count + 1):
      name = f"features.denseblock{stage}.denselayer{layer}"
      layers += norm(f"{name}.norm{dot}1", channels) + [(f"{name}.conv{dot}1.weight", (4 * growth, channels, 1, 1))]
      layers += norm(f"{name}.norm{dot}2", 4 * growth) + [(f"{name}.conv{dot}2.weight", (growth, 4 * growth, 3, 3))]
      channels += growth
    if stage < len(counts):
      name = f"features.transition{stage}"
      layers += norm(f"{name}.norm", channels) + [(f"{name}.conv.weight", (channels // 2, channels, 1, 1))]
      channels //= 2
  return layers + norm("features.norm5", channels) + linear("classifier", channels, 1000)


def vgg(counts, batch_norm):
  layers, place, inputs = [], 0, 3
  for count, outputs in zip(counts, (64, 128, 256, 512, 512)):
    for _ in range(count):
      layers += [(f"features.{place}.weight", (outputs, inputs, 3, 3)), (f"features.{place}.bias", (outputs,))]
      if batch_norm:
        layers += norm(f"features.{place + 1}", outputs)
      place += 3 if batch_norm else 2
      inputs = outputs
    place += 1
  for name, sizes in (("classifier.0", (25088, 4096)), ("classifier.3", (4096, 4096)), ("classifier.6", (4096, 1000))):
    layers += linear(name, *sizes)
  return layers


def write(where, layers, name="weights.safetensors"):
  """A file of these tensors; the last element of each is the number of the tensor."""
  if np is None:
    raise Skip(f"{missing}; sh tests/python.sh installs it")
  tensors = {}
  for number, (key, shape) in enumerate(layers):
    tensors[key] = np.zeros(shape, "float32" if shape else "int64")
    if shape:
      tensors[key].reshape(-1)[-1] = number
  save_file(tensors, str(where / name), metadata={"format": "pt"})
  return where / name


LOAD = """
local icl = require "icl"
local model = icl.models.%s(%s)
local differences = model:load(arg[1], { %s })
for kind, names in pairs(differences) do
  if #names > 0 then print(kind, #names, table.concat(names, " ")) end
end
if arg[2] then model:save(arg[2], { names = "torchvision" }) end
"""


def load(where, family, options, path, how="", saved=None):
  return run(where.write("load.lua", LOAD % (family, options, how)), path, *([saved] if saved else []))


# family, options, what torchvision has for it
NETWORKS = [
  ("resnet", "{ type = 'imagenet', depth = 18 }", lambda: resnet((2, 2, 2, 2), False)),
  ("resnet", "{ type = 'imagenet', depth = 34 }", lambda: resnet((3, 4, 6, 3), False)),
  ("resnet", "{ type = 'imagenet', depth = 50 }", lambda: resnet((3, 4, 6, 3), True)),
  ("resnext", "{ type = 'imagenet', depth = 50 }", lambda: resnet((3, 4, 6, 3), True, groups=32, width=4)),
  ("densenet", "{ type = 'imagenet', depth = 121 }", lambda: densenet((6, 12, 24, 16), 32, 64)),
  ("densenet", "{ type = 'imagenet', depth = 169 }", lambda: densenet((6, 12, 32, 32), 32, 64, old=True)),
  ("vgg", "{ type = 'imagenet', depth = 11, use_bn = false }", lambda: vgg((1, 1, 2, 2, 2), False)),
  ("vgg", "{ type = 'imagenet', depth = 16 }", lambda: vgg((2, 2, 3, 3, 3), True)),
]


@test
def torchvision_s_files_fit_to_the_last_tensor():
  for family, options, layers in NETWORKS:
    with folder() as where:
      path = write(where, layers())
      result = load(where, family, options, path, saved=where / "again")
      equal(success(result), "", f"{family} {options}")
      if family == "densenet" and "169" in options:
        continue
      first, again = load_file(str(path)), load_file(str(where / "again"))
      equal(sorted(again), sorted(first))
      for name, tensor in first.items():
        assert np.array_equal(again[name], tensor), f"{family} {options}: {name}"


@test
def another_number_of_classes():
  with folder() as where:
    path = write(where, resnet((2, 2, 2, 2), False))
    options = "{ type = 'imagenet', depth = 18, classes = 10 }"
    result = load(where, "resnet", options, path)
    assert result.returncode != 0, result
    contains(result.stderr, "for 1000 classes in the file and for 10 in the model", 'except = "fc"')
    contains(success(load(where, "resnet", options, path, 'except = "fc"')), "left\t2\tfc.weight fc.bias")


@test
def names_may_be_said():
  with folder() as where:
    path = write(where, resnet((2, 2, 2, 2), False))
    success(load(where, "resnet", "{ type = 'imagenet', depth = 18 }", path, "names = 'torchvision'"))
    own = load(where, "resnet", "{ type = 'imagenet', depth = 18 }", path, "names = 'own'")
    contains(own.stderr, "not in the file: conv.weight")
    small = load(where, "resnet", "{ depth = 20 }", path, "names = 'torchvision'")
    contains(small.stderr, "torchvision has no such network", 'type = "imagenet"')
    other = load(where, "resnet", "{ type = 'imagenet', depth = 18 }", path, "names = 'timm'")
    contains(other.stderr, "own", "torchvision")


@test
def a_recipe_starts_from_torchvision_s_weights():
  with folder() as where:
    path = write(where, resnet((2, 2, 2, 2), False))
    write_image_folder(where / "photos")
    result = run("recipes/resnet.lua", "--type", "imagenet", "--depth", "18", "--dataset", "folder", "--data",
                 where / "photos", "--image-size", "32", "--batch-size", "4", "--epochs", "1", "--weights", path,
                 "--weights-except", "fc", "--output", "none")
    contains(success(result), "but for fc.weight, fc.bias")


close()
