"""Forward passes of PyTorch in evaluation mode: without torch.compile batch norms are folded into the convolutions in
front of them, with it the weights are frozen, which does that too."""

from argparse import Namespace
from typing import Callable

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse


def make_step(args: Namespace, model: nn.Module) -> Callable[[], Tensor]:
    images = torch.randn(args.batch, 3, args.size, args.size)
    model.eval()
    if args.compile:
        torch._inductor.config.freezing = True
    else:
        model = fuse(model)
    model = model.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    if args.precision == "bf16":
        images = images.bfloat16()
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.bfloat16()
    forward = torch.compile(model, mode=args.compile) if args.compile else model

    def step() -> Tensor:
        with torch.inference_mode():
            return forward(images)

    return step
