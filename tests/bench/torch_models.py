"""The benchmarked networks in PyTorch, written the way the field writes them: CIFAR images of 3 x 32 x 32 (ResNet:
larger), ten classes, convolutions without bias (VGG: with), ReLU in place. `build` makes one by the name of its family.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


def relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)


class Network(nn.Module):
    """Convolutional part, mean over each feature map, linear classifier."""

    def __init__(self, layers: list[nn.Module], features: int, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(features, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.layers(x), 1).flatten(1))


class SqueezeExcite(nn.Module):
    """Each channel times a number that two small layers make of all channels' means (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, channels // reduction), nn.Linear(channels // reduction, channels)

    def forward(self, x: Tensor) -> Tensor:
        means = F.adaptive_avg_pool2d(x, 1).flatten(1)
        scale = torch.sigmoid(self.fc2(F.relu(self.fc1(means), inplace=True)))
        return x * scale[:, :, None, None]


class PreactBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU (He et al. 2016, Zagoruyko and Komodakis 2016). The first
    block of a stage normalises its shortcut too."""

    def __init__(self, inputs: int, outputs: int, stride: int, first: bool, squeeze: bool) -> None:
        super().__init__()
        self.first = first
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.se = SqueezeExcite(outputs) if squeeze else nn.Identity()
        self.shortcut = nn.Identity() if inputs == outputs else conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(x), inplace=True)
        y = self.se(self.conv2(F.relu(self.bn2(self.conv1(h)), inplace=True)))
        return y + self.shortcut(h if self.first else x)


def preact_network(stem: int, channels: int, blocks: int, squeeze: bool = False) -> Network:
    layers: list[nn.Module] = [conv(3, stem)]
    inputs = stem
    for stage in range(3):
        outputs = channels << stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(PreactBlock(inputs, outputs, stride, block == 0, squeeze))
            inputs = outputs
    return Network(layers + [nn.BatchNorm2d(inputs), relu()], inputs)


def resnet_preact(depth: int, initial_channels: int = 16) -> Network:
    return preact_network(initial_channels, initial_channels, (depth - 2) // 6)


def se_resnet_preact(depth: int) -> Network:
    return preact_network(16, 16, (depth - 2) // 6, squeeze=True)


def wrn(depth: int, widening_factor: int) -> Network:
    return preact_network(16, 16 * widening_factor, (depth - 4) // 6)


class ShakeMix(torch.autograd.Function):
    """a * alpha + b * (1 - alpha), whose gradient has a beta of its own in place of alpha; one of each an image."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        alpha = torch.rand(a.size(0), 1, 1, 1, dtype=a.dtype, device=a.device)
        return a * alpha + b * (1 - alpha)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        beta = torch.rand(gradient.size(0), 1, 1, 1, dtype=gradient.dtype, device=gradient.device)
        return gradient * beta, gradient * (1 - beta)


class ShakeSkip(nn.Module):
    """Shortcut of a block that changes its channels: two 1x1 convolutions on grids one pixel apart."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1, self.conv2 = conv(inputs, outputs // 2, 1), conv(inputs, outputs // 2, 1)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(x)
        shifted = F.pad(h, (0, 1, 0, 1))[:, :, 1:, 1:]
        step = self.stride
        halves = self.conv1(h[:, :, ::step, ::step]), self.conv2(shifted[:, :, ::step, ::step])
        return self.bn(torch.cat(halves, 1))


class ShakeBlock(nn.Module):
    """Two equal residual paths in a random mixture (Gastaldi 2017)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()

        def path() -> nn.Sequential:
            first = [nn.ReLU(), conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)]
            return nn.Sequential(*first, relu(), conv(outputs, outputs), nn.BatchNorm2d(outputs))

        self.path1, self.path2 = path(), path()
        self.shortcut = nn.Identity() if inputs == outputs else ShakeSkip(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.path1(x), self.path2(x)
        return self.shortcut(x) + (ShakeMix.apply(a, b) if self.training else 0.5 * (a + b))


def shake_shake(depth: int, initial_channels: int) -> Network:
    layers: list[nn.Module] = [conv(3, 16), nn.BatchNorm2d(16)]
    inputs = 16
    for stage in range(3):
        outputs = initial_channels << stage
        for block in range((depth - 2) // 6):
            layers.append(ShakeBlock(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    return Network(layers + [relu()], inputs)


class ResNeXtBlock(nn.Module):
    """1x1, grouped 3x3, 1x1 (Xie et al. 2017); with a cardinality of 1 that of ResNet (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, width: int, stride: int, cardinality: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, cardinality), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x), inplace=True)


def resnext(depth: int, cardinality: int, base_channels: int) -> Network:
    layers: list[nn.Module] = [conv(3, 64), nn.BatchNorm2d(64), relu()]
    inputs = 64
    for stage in range(3):
        outputs, width = 256 << stage, cardinality * base_channels << stage
        for block in range((depth - 2) // 9):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(ResNeXtBlock(inputs, outputs, width, stride, cardinality))
            inputs = outputs
    return Network(layers, inputs)


def resnet(type: str, depth: int) -> Network:
    """For images of 224 x 224: the stem divides sizes by 4."""
    counts = {("imagenet", 50): (3, 4, 6, 3)}[type, depth]
    layers: list[nn.Module] = [conv(3, 64, 7, 2), nn.BatchNorm2d(64), relu(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, count in enumerate(counts):
        outputs, width = 256 << stage, 64 << stage
        for block in range(count):
            layers.append(ResNeXtBlock(inputs, outputs, width, 2 if stage > 0 and block == 0 else 1, 1))
            inputs = outputs
    return Network(layers, inputs)


class PyramidBlock(nn.Module):
    """Batch norm, 3x3, batch norm, ReLU, 3x3, batch norm; the shortcut is a mean and zeros (Han et al. 2017)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.new = outputs - inputs
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.pool = nn.AvgPool2d(2) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv1(self.bn1(x))), inplace=True)
        return self.bn3(self.conv2(y)) + F.pad(self.pool(x), (0, 0, 0, 0, 0, self.new))


def pyramidnet(depth: int, block_type: str, alpha: int) -> Network:
    if block_type != "basic":
        raise ValueError(f"no blocks of the type {block_type}")
    count = (depth - 2) // 6
    layers: list[nn.Module] = [conv(3, 16), nn.BatchNorm2d(16)]
    inputs = 16
    for block in range(3 * count):
        outputs = round(16 + alpha * (block + 1) / (3 * count))
        layers.append(PyramidBlock(inputs, outputs, 2 if block in (count, 2 * count) else 1))
        inputs = outputs
    return Network(layers + [nn.BatchNorm2d(inputs), relu()], inputs)


def vgg() -> Network:
    """Thirteen 3x3 convolutions (Simonyan and Zisserman 2015) with batch norm, and one linear layer."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, count in (64, 2), (128, 2), (256, 3), (512, 3), (512, 3):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), relu()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return Network(layers, inputs)


class DenseBlock(nn.Module):
    """1x1 to four times the growth, then 3x3; the result is appended to the input (Huang et al. 2017, DenseNet-B)."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x), inplace=True))
        return torch.cat((x, self.conv2(F.relu(self.bn2(y), inplace=True))), 1)


def densenet(depth: int, growth_rate: int) -> Network:
    channels = 2 * growth_rate
    layers: list[nn.Module] = [conv(3, channels)]
    for stage in range(3):
        for _ in range((depth - 4) // 6):
            layers.append(DenseBlock(channels, growth_rate))
            channels += growth_rate
        layers += [nn.BatchNorm2d(channels), relu()]
        if stage < 2:
            layers += [conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
    return Network(layers, channels)


FAMILIES = {
    "densenet": densenet,
    "pyramidnet": pyramidnet,
    "resnet": resnet,
    "resnet_preact": resnet_preact,
    "resnext": resnext,
    "se_resnet_preact": se_resnet_preact,
    "shake_shake": shake_shake,
    "vgg": vgg,
    "wrn": wrn,
}


def build(family: str, options: str) -> Network:
    """options: NAME=VALUE,NAME=VALUE"""
    pairs = (pair.split("=") for pair in options.split(",") if pair)
    return FAMILIES[family](**{name: int(value) if value.isdigit() else value for name, value in pairs})


def count(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())
