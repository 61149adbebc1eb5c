"""Training steps of PyTorch on a GPU: autocast, gradient scaling for f16, and turns that are timed as a whole, since
the GPU computes while Python records. It also runs on "cpu", to be tried out."""

import itertools
import time
from argparse import Namespace
from dataclasses import dataclass
from typing import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
HALVES = {"bf16": torch.bfloat16, "f16": torch.float16}


def description(device: str) -> str:
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    return f"PyTorch {torch.__version__}, {name}"


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def make_step(args: Namespace, model: nn.Module, labels: list[Tensor]) -> Callable[[], Tensor]:
    """A training step of the model, which moves to the device."""
    device = torch.device(args.device)
    tf32 = args.precision != "f32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    half = HALVES.get(args.precision)
    model.to(device)
    images = torch.randn(args.batch, 3, args.size, args.size, device=device).to(memory_format=LAYOUTS[args.layout])
    targets = itertools.cycle([each.to(device) for each in labels])
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=1e-4,
                                fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=args.precision == "f16")

    def loss_of(images: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(device.type, half, enabled=half is not None):
            return F.cross_entropy(model(images), target)

    compiled = torch.compile(loss_of, mode=args.compile) if args.compile else loss_of

    def step() -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        loss = compiled(images, next(targets))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return step


@dataclass(frozen=True)
class Turn:
    """Steps in a row, in seconds a step; `host`: until all of it was handed to the GPU."""

    count: int
    loss: float
    seconds: float
    host: float

    def answer(self) -> str:
        return " ".join([f"{self.loss:.6f}"] + [f"{self.seconds:.6f}"] * self.count)


def run(step: Callable[[], Tensor], count: int, device: str) -> Turn:
    synchronize(device)
    start = time.perf_counter()
    for _ in range(count):
        loss = step()
    host = time.perf_counter() - start
    synchronize(device)
    return Turn(count, loss.item(), (time.perf_counter() - start) / count, host / count)


def statistics(device: str, turn: Turn) -> str:
    """Most memory so far, of the allocator's blocks and of what they were used for, and the host's time."""
    gpu = device.startswith("cuda")
    return (f"reserved_bytes={torch.cuda.max_memory_reserved() if gpu else 0} "
            f"allocated_bytes={torch.cuda.max_memory_allocated() if gpu else 0} host_seconds={turn.host:.6f}")


def kernels(step: Callable[[], Tensor], device: str) -> str:
    """How many kernels a step launches."""
    if not device.startswith("cuda"):
        return "kernels=0"
    steps = 3
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        run(step, steps, device)
    launched = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return f"kernels={sum(not e.name.startswith('Mem') for e in launched) / steps:.0f}"


def serve(step: Callable[[], Tensor], device: str, requests: Iterable[str]) -> None:
    for line in requests:
        word, *numbers = line.split()
        if word == "step":
            turn = run(step, int(numbers[0]), device)
            print(turn.answer(), flush=True)
        elif word == "statistics":
            print(statistics(device, turn), flush=True)
        elif word == "kernels":
            print(kernels(step, device), flush=True)
