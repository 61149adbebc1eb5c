"""Makes the small cases of tests/golden/data/models with PyTorch: networks with stored weights, their logits in
evaluation and training, gradients and running statistics.

    python3 tests/golden/make_models.py tests/golden/data/models

The networks are written here from the papers, apart from those in lua/icl/models. What is stored was computed in
float64 from float32 weights and images, and rounded to float32. The files in the tree were made with PyTorch 1.13; the
random numbers come from NumPy's MT19937, so that another version makes the same cases up to rounding."""

import copy
import json
import struct
import sys
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional as F

IMAGES, CLASSES = 3, 3
COLOURS = dict(cifar=2, imagenet=1)


def conv(inputs, outputs, size, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=bias)


class Named(nn.Module):
    """A module whose parts are given by name, in order."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def __getitem__(self, name):
        return self._modules[name]


class Chain(Named):
    """Parts one after another."""

    def forward(self, x):
        for part in self._modules.values():
            x = part(x)
        return x


class Residual(Named):
    """Convolution, batch norm, relu, ...; the last relu after the sum with the shortcut."""

    def __init__(self, convs, inputs, outputs, stride):
        parts = {}
        for i, layer in enumerate(convs, 1):
            parts |= {f"conv{i}": layer, f"bn{i}": nn.BatchNorm2d(layer.out_channels)}
        if inputs != outputs:
            parts["shortcut"] = Chain(conv=conv(inputs, outputs, 1, stride), bn=nn.BatchNorm2d(outputs))
        super().__init__(**parts)
        self.count, self.projects = len(convs), inputs != outputs

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = self[f"bn{i}"](self[f"conv{i}"](F.relu(y) if i > 1 else y))
        return F.relu(y + (self["shortcut"](x) if self.projects else x))


class Excite(Named):
    def __init__(self, channels, reduction):
        inner = channels // reduction
        super().__init__(fc1=nn.Linear(channels, inner), fc2=nn.Linear(inner, channels))

    def forward(self, x):
        scale = torch.sigmoid(self["fc2"](F.relu(self["fc1"](x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class Preact(Named):
    """Batch norm, relu, convolution, ...; `before`: the first two come before the shortcut as well; `pads`: a shortcut
    of mean pooling and zero channels."""

    def __init__(self, convs, inputs, outputs, stride, before=False, relu=True, last=False, reduction=0, pads=False):
        parts = {}
        for i, layer in enumerate(convs, 1):
            parts |= {f"bn{i}": nn.BatchNorm2d(layer.in_channels), f"conv{i}": layer}
        if last:
            parts[f"bn{len(convs) + 1}"] = nn.BatchNorm2d(outputs)
        if reduction:
            parts["se"] = Excite(outputs, reduction)
        if inputs != outputs and not pads:
            parts["shortcut"] = Chain(conv=conv(inputs, outputs, 1, stride))
        super().__init__(**parts)
        self.count, self.before, self.relu = len(convs), before, relu or before
        self.stride, self.more, self.pads = stride, outputs - inputs, pads

    def forward(self, x):
        h = self["bn1"](x)
        h = F.relu(h) if self.relu else h
        y = self["conv1"](h)
        for i in range(2, self.count + 1):
            y = self[f"conv{i}"](F.relu(self[f"bn{i}"](y)))
        last = f"bn{self.count + 1}"
        y = self[last](y) if last in self._modules else y
        y = self["se"](y) if "se" in self._modules else y
        x = h if self.before else x
        if self.pads:
            x = F.avg_pool2d(x, 2) if self.stride == 2 else x
            return y + F.pad(x, (0, 0, 0, 0, 0, self.more))
        return y + (self["shortcut"](x) if "shortcut" in self._modules else x)


class Dense(Named):
    def __init__(self, inputs, growth, bottleneck):
        if bottleneck:
            parts = dict(bn1=nn.BatchNorm2d(inputs), conv1=conv(inputs, 4 * growth, 1))
            parts |= dict(bn2=nn.BatchNorm2d(4 * growth), conv2=conv(4 * growth, growth, 3))
        else:
            parts = dict(bn=nn.BatchNorm2d(inputs), conv=conv(inputs, growth, 3))
        super().__init__(**parts)

    def forward(self, x):
        y = x
        for name, part in self._modules.items():
            y = F.relu(part(y)) if name.startswith("bn") else part(y)
        return torch.cat((x, y), 1)


class Transition(Named):
    def forward(self, x):
        return F.avg_pool2d(self["conv"](F.relu(self["bn"](x))), 2)


class Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b, alpha, beta):
        ctx.beta = beta
        return alpha * a + (1 - alpha) * b

    @staticmethod
    def backward(ctx, gradient):
        return ctx.beta * gradient, (1 - ctx.beta) * gradient, None, None


class Skip(Named):
    def __init__(self, inputs, outputs, stride):
        halves = (conv(inputs, outputs // 2, 1) for _ in range(2))
        super().__init__(conv1=next(halves), conv2=next(halves), bn=nn.BatchNorm2d(outputs))
        self.stride = stride

    def forward(self, x):
        x = F.relu(x)
        down = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves = [self[f"conv{i}"](part[:, :, :: self.stride, :: self.stride]) for i, part in ((1, x), (2, down))]
        return self["bn"](torch.cat(halves, 1))


class Shake(Named):
    """The shares are put into `alpha` and `beta` from outside."""

    def __init__(self, inputs, outputs, stride):
        def path():
            parts = dict(conv1=conv(inputs, outputs, 3, stride), bn1=nn.BatchNorm2d(outputs))
            return Named(**parts, conv2=conv(outputs, outputs, 3), bn2=nn.BatchNorm2d(outputs))

        parts = dict(residual_path1=path(), residual_path2=path())
        if inputs != outputs:
            parts["shortcut"] = Chain(skip=Skip(inputs, outputs, stride))
        super().__init__(**parts)

    def branch(self, name, x):
        path = self[name]
        y = path["bn1"](path["conv1"](F.relu(x)))
        return path["bn2"](path["conv2"](F.relu(y)))

    def forward(self, x):
        a, b = self.branch("residual_path1", x), self.branch("residual_path2", x)
        y = Mix.apply(a, b, self.alpha, self.beta) if self.training else (a + b) / 2
        return y + (self["shortcut"](x) if "shortcut" in self._modules else x)


class Network(Named):
    """Stem, stages, mean over all pixels, linear layer. `relu`: behind which of the norms one follows."""

    def __init__(self, kind, stem, stages, channels, small_norm=None, small_relu=False, last=None, last_relu=False):
        large = kind == "imagenet"
        norm = "bn" if large else small_norm
        parts = dict(conv=conv(COLOURS[kind], stem, 7 if large else 3, 2 if large else 1))
        if norm:
            parts[norm] = nn.BatchNorm2d(stem)
        parts |= {f"stage{i}": stage for i, stage in enumerate(stages, 1)}
        last = "bn_last" if last and large else last
        if last:
            parts[last] = nn.BatchNorm2d(channels)
        super().__init__(**parts, fc=nn.Linear(channels, CLASSES))
        self.large, self.norm, self.relu, self.last, self.last_relu = large, norm, small_relu or large, last, last_relu

    def forward(self, x):
        x = self["conv"](x)
        x = self[self.norm](x) if self.norm else x
        x = F.relu(x) if self.relu else x
        x = F.max_pool2d(x, 3, 2, 1) if self.large else x
        for name, stage in self._modules.items():
            x = stage(x) if name.startswith("stage") else x
        x = self[self.last](x) if self.last else x
        x = F.relu(x) if self.last_relu else x
        return self["fc"](x.mean((2, 3)))


class Vgg(Chain):
    def __init__(self, o):
        inputs, parts = COLOURS["cifar"], {}
        for s, (channels, layers) in enumerate(zip(o["n_channels"], o["n_layers"]), 1):
            stage = {}
            for i in range(layers):
                stage[f"conv{i}"] = conv(inputs, channels, 3, bias=True)
                if o["use_bn"]:
                    stage[f"bn{i}"] = nn.BatchNorm2d(channels)
                stage[f"relu{i}"], inputs = nn.ReLU(), channels
            parts[f"stage{s}"] = Chain(**stage, pool=nn.MaxPool2d(2))
        pixels = (o["size"] >> len(o["n_layers"])) ** 2
        super().__init__(**parts, flat=nn.Flatten(), fc=nn.Linear(inputs * pixels, CLASSES))


def branch(kind, inputs, outputs, stride, middle=None, groups=1):
    if kind == "basic":
        return [conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3)]
    middle = middle or outputs // 4
    return [conv(inputs, middle, 1), conv(middle, middle, 3, stride, groups), conv(middle, outputs, 1)]


def stages_of(counts, stem, make):
    """make(inputs, stage from 1, block from 0, stride) -> module, channels"""
    stages, channels = [], stem
    for s, count in enumerate(counts, 1):
        blocks = {}
        for k in range(count):
            blocks[f"block{k + 1}"], channels = make(channels, s, k, 2 if s > 1 and k == 0 else 1)
        stages.append(Chain(**blocks))
    return stages, channels


def resnet(o):
    def make(inputs, s, k, stride):
        outputs = (o["initial_channels"] << s - 1) * (4 if s > 1 and o["block_type"] == "bottleneck" else 1)
        convs = branch(o["block_type"], inputs, outputs, stride)
        if o["name"] == "resnet":
            return Residual(convs, inputs, outputs, stride), outputs
        flags = dict(before=k == 0 and o["preact_stage"][s - 1], relu=not o["remove_first_relu"])
        return Preact(convs, inputs, outputs, stride, last=o["add_last_bn"], reduction=o.get("se_reduction", 0),
                      **flags), outputs

    stages, channels = stages_of(o["counts"], o["initial_channels"], make)
    frame = dict(small_norm="bn", small_relu=True) if o["name"] == "resnet" else dict(last="bn", last_relu=True)
    return Network(o["type"], o["initial_channels"], stages, channels, **frame)


def wrn(o):
    def make(inputs, s, _, stride):
        outputs = o["initial_channels"] * o["widening_factor"] << s - 1
        convs = branch("basic", inputs, outputs, stride)
        return Preact(convs, inputs, outputs, stride, before=inputs != outputs), outputs

    stages, channels = stages_of(o["counts"], o["initial_channels"], make)
    return Network("cifar", o["initial_channels"], stages, channels, last="bn", last_relu=True)


def densenet(o):
    growth, counts, stages = o["growth_rate"], o["counts"], []
    channels = 2 * growth
    for s, count in enumerate(counts, 1):
        stage = {}
        for k in range(count):
            stage[f"block{k + 1}"] = Dense(channels, growth, o["block_type"] == "bottleneck")
            channels += growth
        if s < len(counts):
            smaller = int(channels * o["compression_rate"])
            stage["transition"] = Transition(bn=nn.BatchNorm2d(channels), conv=conv(channels, smaller, 1))
            channels = smaller
        stages.append(Chain(**stage))
    return Network(o["type"], 2 * growth, stages, channels, last="bn", last_relu=o["type"] == "cifar")


def pyramidnet(o):
    width, total, factor = float(o["initial_channels"]), sum(o["counts"]), 4 if o["block_type"] == "bottleneck" else 1

    def make(inputs, _s, _k, stride):
        nonlocal width
        width += o["alpha"] / total
        outputs = factor * round(width)
        convs = branch(o["block_type"], inputs, outputs, stride)
        return Preact(convs, inputs, outputs, stride, relu=False, last=True, pads=True), outputs

    stages, channels = stages_of(o["counts"], o["initial_channels"], make)
    return Network(o["type"], o["initial_channels"], stages, channels, small_norm="bn1", last="bn2", last_relu=True)


def resnext(o):
    def make(inputs, s, _, stride):
        outputs, middle = 4 * o["initial_channels"] << s - 1, o["cardinality"] * o["base_channels"] << s - 1
        convs = branch("bottleneck", inputs, outputs, stride, middle, o["cardinality"])
        return Residual(convs, inputs, outputs, stride), outputs

    stages, channels = stages_of(o["counts"], o["initial_channels"], make)
    return Network(o["type"], o["initial_channels"], stages, channels, small_norm="bn", small_relu=True)


def shake_shake(o):
    def make(inputs, s, _, stride):
        outputs = o["initial_channels"] << s - 1
        return Shake(inputs, outputs, stride), outputs

    stages, channels = stages_of(o["counts"], 16, make)
    return Network("cifar", 16, stages, channels, small_norm="bn", last_relu=True)


FAMILIES = dict(vgg=Vgg, resnet=resnet, resnet_preact=resnet, se_resnet_preact=resnet, wrn=wrn, densenet=densenet,
                pyramidnet=pyramidnet, resnext=resnext, shake_shake=shake_shake)

# name: seed, family, blocks of each stage (None: VGG), type, image size, options
CASES = {
    "vgg": (1, "vgg", None, "cifar", 8, dict(n_channels=[2, 3], n_layers=[1, 2], use_bn=False)),
    "vgg_bn": (2, "vgg", None, "cifar", 8, dict(n_channels=[2, 3], n_layers=[2, 1], use_bn=True)),
    "resnet_large": (12, "resnet", [1] * 4, "imagenet", 16,
                     dict(n_blocks=[1] * 4, block_type="basic", initial_channels=1)),
    "se": (4, "se_resnet_preact", [1] * 3, "cifar", 8,
           dict(depth=8, block_type="basic", initial_channels=2, se_reduction=2, remove_first_relu=True,
                add_last_bn=True, preact_stage=[True, False, False])),
    "wrn": (5, "wrn", [1] * 3, "cifar", 8, dict(depth=10, initial_channels=2, widening_factor=1, drop_rate=0.0)),
    "densenet": (6, "densenet", [1] * 3, "cifar", 8,
                 dict(depth=7, block_type="basic", growth_rate=3, compression_rate=1.0, drop_rate=0.0)),
    "densenet_bc_large": (13, "densenet", [1] * 4, "imagenet", 32,
                          dict(n_blocks=[1] * 4, block_type="bottleneck", growth_rate=2, compression_rate=0.7,
                               drop_rate=0.0)),
    "pyramid": (8, "pyramidnet", [1] * 3, "cifar", 8, dict(depth=8, block_type="basic", initial_channels=2, alpha=3)),
    "pyramid_large": (10, "pyramidnet", [1] * 4, "imagenet", 32,
                      dict(n_blocks=[1] * 4, block_type="bottleneck", initial_channels=2, alpha=1)),
    "resnext": (10, "resnext", [1] * 3, "cifar", 8, dict(depth=11, initial_channels=1, cardinality=2, base_channels=1)),
    "shake": (11, "shake_shake", [1] * 3, "cifar", 8,
              dict(depth=8, initial_channels=2, shake_forward=True, shake_backward=True, shake_image=True)),
}


def store(path, tensors):
    """A safetensors file of float32 and int64 tensors."""
    header, body = {}, b""
    for name, tensor in tensors.items():
        array = tensor.detach().numpy()
        array = array.astype("<f4" if array.dtype.kind == "f" else "<i8")
        header[name] = {"dtype": "F32" if array.dtype.kind == "f" else "I64", "shape": list(array.shape),
                        "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def fill(network, random):
    """Weights of the size that training starts with; norms and statistics apart from 1 and 0. All are float32."""
    for name, tensor in network.state_dict().items():
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
            continue
        if len(shape) > 1:
            value = random.standard_normal(shape) * (2 / numpy.prod(shape[1:])) ** 0.5
        elif name.endswith(("bias", "running_mean")):
            value = 0.2 * (random.random_sample(shape) - 0.5)
        else:
            value = 0.5 + random.random_sample(shape)
        tensor.copy_(torch.from_numpy(numpy.float32(value)))


def give_shares(network, options, random):
    """Shares for every block of Shake-Shake. -> what the case stores of them"""
    stored = {}
    for path, module in network.named_modules():
        if not isinstance(module, Shake):
            continue
        for name, is_random in (("alpha", options["shake_forward"]), ("beta", options["shake_backward"])):
            count = IMAGES if options["shake_image"] else 1
            share = random.random_sample(count) if is_random else numpy.full(count, 0.5)
            share = torch.from_numpy(numpy.float32(share)).double()
            setattr(module, name, share.reshape(-1, 1, 1, 1))
            stored[f"{name}.{path}"] = share
    return stored


def gradients_of(network, images, labels):
    """Logits, loss and gradients by name of one training pass."""
    logits = network.train()(images)
    loss = F.cross_entropy(logits, labels)
    names, parameters = zip(*network.named_parameters())
    return logits, loss, dict(zip(names, torch.autograd.grad(loss, parameters)))


def check_conditioning(name, network, images, labels, exact):
    """A case is of use if float32 gets within a third of what the tests allow: no relu may be close to its kink."""
    single = copy.deepcopy(network).float()
    for module in single.modules():
        if isinstance(module, Shake):
            module.alpha, module.beta = module.alpha.float(), module.beta.float()
    total = sum(float(gradient.square().sum()) for gradient in exact.values()) ** 0.5
    for key, gradient in gradients_of(single, images.float(), labels)[2].items():
        error, norm = float((gradient - exact[key]).norm()), float(exact[key].norm())
        if error > 1e-4 / 3 * max(norm, 1e-3 * total):
            sys.exit(f"{name}: gradient of {key} is off by {error:.1e} in float32; give the case another seed")


def make_case(folder, seed, family, counts, kind, size, options):
    random = numpy.random.RandomState(seed)
    network = FAMILIES[family](dict(options, name=family, counts=counts, type=kind, size=size)).double()
    fill(network, random)
    images = torch.from_numpy(random.standard_normal((IMAGES, COLOURS[kind], size, size)).astype("f4")).double()
    labels = torch.from_numpy(random.randint(0, CLASSES, IMAGES))
    stored = {"input": images, "labels": labels, **give_shares(network, options, random)}
    folder.mkdir(parents=True, exist_ok=True)
    store(folder / "weights.safetensors", network.state_dict())
    stored["logits_eval_f64"] = network.eval()(images)
    before = copy.deepcopy(network)
    stored["logits_train_f64"], loss, gradients = gradients_of(network, images, labels)
    check_conditioning(folder.name, before, images, labels, gradients)
    stored["loss_train_f64"] = loss.reshape(1)
    stored |= {f"grad.{name}": gradient for name, gradient in gradients.items()}
    stored |= {f"after.{name}": buffer for name, buffer in network.named_buffers()}
    store(folder / "io.safetensors", stored)
    case = {"model": {"type": kind, "name": family, "init_mode": "kaiming_fan_out", family: options},
            "dataset": {"image_size": size, "n_channels": COLOURS[kind], "n_classes": CLASSES},
            "n_params": sum(gradient.numel() for gradient in gradients.values()), "param_order": list(gradients)}
    (folder / "case.json").write_text(json.dumps(case) + "\n")


if __name__ == "__main__":
    for name, case in CASES.items():
        make_case(Path(sys.argv[1]) / name, *case)
