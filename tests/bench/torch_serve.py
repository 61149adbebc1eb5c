"""A PyTorch contender of the benchmark: trains one network on one fixed random batch and answers requests on standard
input, as README.md describes. It runs under any PyTorch from 1.13 on."""

import argparse
import re
import sys
import time

import torch
from torch.nn import functional as F

import torch_models


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, choices=sorted(torch_models.FAMILIES))
    parser.add_argument("--options", default="", help="options of the model, such as depth=20,initial_channels=64")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=("f32", "bf16"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true", help="train through torch.compile")
    return parser.parse_args()


def description() -> str:
    config = torch.__config__.show()
    onednn = re.search(r"MKL-DNN v([\d.]+)", config)
    vectors = re.search(r"CPU capability usage: (\S+)", config)
    parts = ["PyTorch " + torch.__version__.split("+")[0]]
    parts += ["oneDNN " + onednn[1]] if onednn else []
    parts += [vectors[1]] if vectors else []
    return ", ".join(parts)


def sgd(parameters) -> torch.optim.SGD:
    settings = dict(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    try:
        return torch.optim.SGD(parameters, **settings, fused=True)  # one kernel; absent from older versions
    except TypeError:
        return torch.optim.SGD(parameters, **settings)


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    options = {name: int(value) for name, value in (pair.split("=") for pair in args.options.split(",") if pair)}
    model = torch_models.build(args.model, options).to(memory_format=torch.channels_last)
    forward = torch.compile(model) if args.compile else model
    optimizer = sgd(model.parameters())
    images = torch.randn(args.batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (args.batch,))

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    print("ready", sum(p.numel() for p in model.parameters()), description(), flush=True)
    for line in sys.stdin:
        command = line.split()
        if command[0] == "quit":
            break
        seconds = []
        for _ in range(int(command[1])):
            start = time.perf_counter()
            loss = step()
            seconds.append(time.perf_counter() - start)
        print(f"{loss.item():.6f}", *(f"{value:.6f}" for value in seconds), flush=True)


main()
