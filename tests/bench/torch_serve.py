"""A PyTorch contender of the benchmark: trains one network on one fixed random batch, or passes it forward, and answers
requests on standard input, as README.md describes. It runs under any PyTorch from 1.13 on."""

import argparse
import itertools
import re
import sys
import time
from typing import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torch_device
import torch_evaluation
import torch_models


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, choices=sorted(torch_models.FAMILIES))
    parser.add_argument("--options", default="", help="options of the model, such as depth=20,initial_channels=64")
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--precision", choices=("f32", "tf32", "bf16", "f16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", nargs="?", const="default", metavar="MODE", help="through torch.compile")
    parser.add_argument("--evaluate", action="store_true", help="forward passes without gradients in place of training")
    parser.add_argument("--device", help="train there as on a GPU: with autocast, turns timed as a whole")
    parser.add_argument("--layout", choices=torch_device.LAYOUTS, default="channels_last")
    return parser.parse_args()


def description() -> str:
    config = torch.__config__.show()
    onednn = re.search(r"MKL-DNN v([\d.]+)", config)
    vectors = re.search(r"CPU capability usage: (\S+)", config)
    parts = ["PyTorch " + torch.__version__.split("+")[0]]
    parts += ["oneDNN " + onednn[1]] if onednn else []
    parts += [vectors[1]] if vectors else []
    return ", ".join(parts)


def sgd(parameters: list[Tensor], lr: float) -> torch.optim.SGD:
    settings = dict(lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    try:
        return torch.optim.SGD(parameters, **settings, fused=True)  # one kernel; absent from older versions
    except TypeError:
        return torch.optim.SGD(parameters, **settings)


def round_weights(model: nn.Module) -> dict[Tensor, Tensor]:
    """Turns the weights of convolutions and linear layers into bf16 and returns the f32 original of each: what autocast
    computes, without its cost at each layer."""
    originals = {}
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            originals.update((p, p.detach().clone()) for p in module.parameters())
            module.bfloat16()
    return originals


def make_labels(batch: int) -> list[Tensor]:
    """Several labels of the same images, random in half of them. A loss that falls to nothing would make gradients so
    small that processors are slow with them."""
    right = torch.randint(0, 10, (batch,))
    return [torch.where(torch.rand(batch) < 0.5, right, torch.randint(0, 10, (batch,))) for _ in range(8)]


def make_step(args: argparse.Namespace, model: nn.Module) -> Callable[[], Tensor]:
    images = torch.randn(args.batch, 3, args.size, args.size).to(memory_format=torch.channels_last)
    labels = itertools.cycle(make_labels(args.batch))
    originals = {}
    if args.precision == "bf16":
        originals = round_weights(model)
        images = images.bfloat16()
    forward = torch.compile(model, mode=args.compile) if args.compile else model
    optimizer = sgd([originals.get(p, p) for p in model.parameters()], args.lr)

    def step() -> Tensor:
        model.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(images).float(), next(labels))
        loss.backward()
        for rounded, original in originals.items():
            original.grad = rounded.grad.float()
        optimizer.step()
        with torch.no_grad():
            for rounded, original in originals.items():
                rounded.copy_(original)
        return loss.detach()

    return step


def serve(step: Callable[[], Tensor], requests: Iterable[str]) -> None:
    for line in requests:
        seconds = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            result = step()
            seconds.append(time.perf_counter() - start)
        print(f"{result.float().mean().item():.6f}", *(f"{value:.6f}" for value in seconds), flush=True)


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = torch_models.build(args.model, args.options).to(memory_format=torch_device.LAYOUTS[args.layout])
    if args.device:
        step = torch_device.make_step(args, model, make_labels(args.batch))
        print("ready", torch_models.count(model), torch_device.description(args.device), flush=True)
        torch_device.serve(step, args.device, sys.stdin)
    else:
        parameters = torch_models.count(model)
        step = torch_evaluation.make_step(args, model) if args.evaluate else make_step(args, model)
        print("ready", parameters, description(), flush=True)
        serve(step, sys.stdin)


main()
