"""The networks that are measured, and how the contenders that run them are started."""

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Network:
    title: str
    family: str
    options: str
    batch: int
    lr: float = 0.01  # small enough for the loss to fall within a few steps
    size: int = 32  # height and width of the images

    def arguments(self, batch: int, precision: str) -> list[str]:
        """Those that all contenders take."""
        return ["--model", self.family, "--options", self.options, "--size", str(self.size), "--batch", str(batch),
                "--lr", str(self.lr), "--precision", precision]


NETWORKS = {
    "resnet_preact-20": Network("preact ResNet-20", "resnet_preact", "depth=20", 128),
    "resnet_preact-20x4": Network("preact ResNet-20 x4", "resnet_preact", "depth=20,initial_channels=64", 64),
    "wrn-28-10": Network("WRN-28-10", "wrn", "depth=28,widening_factor=10", 16, 0.001),
    "shake_shake-26-2x32d": Network("Shake-Shake-26 2x32d", "shake_shake", "depth=26,initial_channels=32", 64),
    "resnext-29-8x64d": Network("ResNeXt-29 8x64d", "resnext", "depth=29,cardinality=8,base_channels=64", 16, 0.0001),
    "resnext-29-32x4d": Network("ResNeXt-29 32x4d", "resnext", "depth=29,cardinality=32,base_channels=4", 32, 0.001),
    "densenet_bc-100-12": Network("DenseNet-BC-100 k=12", "densenet", "depth=100,growth_rate=12", 64),
    "vgg-15": Network("VGG-15", "vgg", "", 128, 0.001),
    "pyramidnet-110-84": Network("PyramidNet-110 alpha=84", "pyramidnet", "depth=110,block_type=basic,alpha=84", 64),
    "se_resnet_preact-110": Network("SE-ResNet-preact-110", "se_resnet_preact", "depth=110", 128),
    "resnet-50": Network("ResNet-50, 224 x 224", "resnet", "type=imagenet,depth=50", 16, 0.0001, 224),
}
EVALUATION_BATCHES = (256, 1)

# On a GPU, the most telling ones first.
DEVICE_NETWORKS = {
    "resnet_preact-20": NETWORKS["resnet_preact-20"],
    "wrn-28-10": replace(NETWORKS["wrn-28-10"], batch=128),
    "shake_shake-26-2x64d": replace(NETWORKS["shake_shake-26-2x32d"], title="Shake-Shake-26 2x64d",
                                    options="depth=26,initial_channels=64"),
    "resnext-29-8x64d": replace(NETWORKS["resnext-29-8x64d"], batch=128),
    "resnext-29-32x4d": replace(NETWORKS["resnext-29-32x4d"], batch=128),
    "densenet_bc-100-12": NETWORKS["densenet_bc-100-12"],
    "resnet_preact-20x4": replace(NETWORKS["resnet_preact-20x4"], batch=128),
}
# PyTorch on a GPU: the name of a mode and its options of torch_serve.py.
DEVICE_MODES = {
    "eager": [],
    "eager-nchw": ["--layout", "contiguous"],
    "compiled": ["--compile"],
    "compiled-graphs": ["--compile", "reduce-overhead"],
}


@dataclass(frozen=True)
class Entry:
    """How a contender is started."""

    label: str
    command: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Task:
    """What all contenders of one table do, and the programs that do it."""

    network: Network
    batch: int
    precision: str
    threads: int
    icl: Path | None  # None: it does not take part
    venv: Path | None  # with the PyTorch of pip
    compile: bool  # torch.compile takes part
    evaluates: bool = False  # forward passes in evaluation mode, in place of training steps
    torch: bool = True  # PyTorch takes part

    @property
    def title(self) -> str:
        work = ", evaluation" if self.evaluates else ""
        return f"{self.network.title}, batch {self.batch}, {self.precision}{work}"

    def entries(self, cache: str) -> list[Entry]:
        """`cache` is the folder where torch.compile puts its kernels."""
        options = [*self.network.arguments(self.batch, self.precision), "--threads", str(self.threads),
                   *(["--evaluate"] if self.evaluates else [])]
        threads = {"OMP_NUM_THREADS": str(self.threads)}
        torch = [str(FOLDER / "torch_serve.py"), *options]
        found = []
        if self.icl:
            found.append(Entry("icl", [str(self.icl), str(FOLDER / "serve.lua"), *options], threads))
        if self.torch:
            found.append(Entry("PyTorch of Debian", ["/usr/bin/python3", *torch], threads))
        if self.torch and self.venv:
            python = str(self.venv / "bin/python")
            found.append(Entry("PyTorch of pip", [python, *torch], threads))
            if self.compile:
                compiler = {"CXX": str(self.venv / "bin/g++"), "TORCHINDUCTOR_CACHE_DIR": cache}
                found.append(Entry("PyTorch of pip, compiled", [python, *torch, "--compile"], threads | compiler))
        return found

    def ranks(self, port: int) -> Entry:
        """icl as so many processes of one thread each, which share the batch. The first one answers requests, and is
        the parent of the others."""
        options = [*self.network.arguments(self.batch // self.threads, self.precision), "--threads", "1"]
        group = ["--world-size", str(self.threads), "--master", f"127.0.0.1:{port}"]
        command = shlex.join([str(self.icl), str(FOLDER / "serve.lua"), *options, *group, "--rank"])
        others = "".join(f"{command} {rank} >&2 </dev/null &\n" for rank in range(1, self.threads))
        return Entry("icl", ["sh", "-c", f"{others}exec {command} 0"], {"OMP_NUM_THREADS": "1"})


@dataclass(frozen=True)
class DeviceTask:
    """The same on a GPU: both sides train on one batch that lies there."""

    network: Network
    precision: str
    icl: Path | None  # None: it does not take part
    device: str  # by icl's name
    torch_device: str
    cache: Path  # where torch.compile puts its kernels
    modes: list[str]  # of PyTorch

    @property
    def title(self) -> str:
        return f"{self.network.title}, batch {self.network.batch}, {self.precision}"

    def entries(self) -> list[Entry]:
        options = self.network.arguments(self.network.batch, self.precision)
        torch = [sys.executable, "-W", "ignore", str(FOLDER / "torch_serve.py"), *options, "--threads", "2"]
        compiler = {"TORCHINDUCTOR_CACHE_DIR": str(self.cache), "TORCHINDUCTOR_COMPILE_THREADS": "4"}
        found = []
        if self.icl:
            command = [str(self.icl), str(FOLDER / "serve.lua"), *options, "--ready", "--device", self.device]
            found.append(Entry("icl", command, {}))
        for mode in self.modes:
            command = [*torch, "--device", self.torch_device, *DEVICE_MODES[mode]]
            found.append(Entry(f"PyTorch {mode}", command, compiler))
        return found
