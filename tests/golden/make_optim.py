"""Makes the small cases of tests/golden/data/optim: parameters after each step of an optimizer on given gradients, and
its states after the last.

    python3 tests/golden/make_optim.py tests/golden/data/optim

The updates are written here from the papers, in float64 and for one number at a time, apart from those in
lua/icl/optim; only the standard library is needed. What is stored is rounded to float32."""

import json
import math
import random
import struct
import sys
from pathlib import Path

STEPS = 20
SHAPES = {"conv": [2, 3, 1, 2], "bias": [4], "small": [3]}


def single(x):
    """x rounded to float32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def norm(values):
    return math.sqrt(sum(v * v for v in values))


def sgd(p, g, state, lr, o, t):
    buffer = state["momentum_buffer"]
    for i, gradient in enumerate(g):
        gradient += o["weight_decay"] * p[i]
        buffer[i] = o["momentum"] * buffer[i] + gradient
        p[i] -= lr * (gradient + o["momentum"] * buffer[i] if o["nesterov"] else buffer[i])


def lars(p, g, state, lr, o, t):
    """You et al. 2017; the rate is part of what the buffer keeps."""
    buffer, length = state["momentum_buffer"], norm(p)
    local = length / (o["lars"]["eps"] + norm(g) + o["weight_decay"] * length)
    if length < o["lars"]["threshold"]:
        local = 1
    for i, gradient in enumerate(g):
        buffer[i] = o["momentum"] * buffer[i] + lr * local * (gradient + o["weight_decay"] * p[i])
        p[i] -= buffer[i]


def adam(p, g, state, lr, o, t):
    """Kingma and Ba 2015; amsgrad: Reddi et al. 2018, the largest before the correction of the bias."""
    beta1, beta2 = o["betas"]
    mean, square, largest = (state.get(name) for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"))
    for i, gradient in enumerate(g):
        gradient += o["weight_decay"] * p[i]
        mean[i] += (1 - beta1) * (gradient - mean[i])
        square[i] += (1 - beta2) * (gradient ** 2 - square[i])
        second = square[i]
        if largest:
            second = largest[i] = max(largest[i], second)
        p[i] -= lr * (mean[i] / (1 - beta1 ** t)) / (math.sqrt(second / (1 - beta2 ** t)) + 1e-8)


def adabound(p, g, state, lr, o, t):
    """Luo et al. 2019; as published, the w variant takes the decay whatever the rate."""
    (beta1, beta2), gamma = o["adabound"]["betas"], o["adabound"]["gamma"]
    final, decoupled = o["adabound"]["final_lr"] * lr / o["base_lr"], o["optimizer"] == "adaboundw"
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    for i, gradient in enumerate(g):
        if not decoupled:
            gradient += o["weight_decay"] * p[i]
        mean[i] += (1 - beta1) * (gradient - mean[i])
        square[i] += (1 - beta2) * (gradient ** 2 - square[i])
        rate = lr * math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t) / (math.sqrt(square[i]) + 1e-8)
        rate = max(final * (1 - 1 / (gamma * t + 1)), min(final * (1 + 1 / (gamma * t)), rate))
        p[i] -= rate * mean[i] + (o["weight_decay"] * p[i] if decoupled else 0)


RULES = {
    "sgd": (sgd, ["momentum_buffer"]), "lars": (lars, ["momentum_buffer"]),
    "adam": (adam, ["exp_avg", "exp_avg_sq"]), "amsgrad": (adam, ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]),
    "adabound": (adabound, ["exp_avg", "exp_avg_sq"]), "adaboundw": (adabound, ["exp_avg", "exp_avg_sq"]),
}

DEFAULTS = {"base_lr": 0.05, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": True, "betas": [0.9, 0.999],
            "lars": {"eps": 1e-9, "threshold": 1e-2},
            "adabound": {"betas": [0.9, 0.999], "final_lr": 0.1, "gamma": 1e-3}}

CASES = {
    "sgd": {"optimizer": "sgd", "momentum": 0.8},
    "lars_no_decay": {"optimizer": "lars", "weight_decay": 0.0},
    "lars_threshold": {"optimizer": "lars", "weight_decay": 0.01, "lars": {"eps": 1e-3, "threshold": 0.5}},
    "adam": {"optimizer": "adam", "betas": [0.8, 0.99]},
    "amsgrad_short": {"optimizer": "amsgrad", "betas": [0.9, 0.5]},
    "adabound": {"optimizer": "adabound", "adabound": {"betas": [0.9, 0.99], "final_lr": 0.5, "gamma": 0.05}},
    "adaboundw": {"optimizer": "adaboundw", "weight_decay": 0.01,
                  "adabound": {"betas": [0.5, 0.9], "final_lr": 0.02, "gamma": 0.5}},
}


def store(path, tensors):
    """A safetensors file of float32; tensors: name -> (shape, values)."""
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def make_common(draw):
    common = {}
    for name, shape in SHAPES.items():
        count, scale = math.prod(shape), 1e-3 if name == "small" else 0.5
        common[f"init.{name}"] = shape, [single(scale * draw.gauss(0, 1)) for _ in range(count)]
        for t in range(1, STEPS + 1):
            size = 10 ** draw.uniform(-1.5, 0.5)
            common[f"grad{t}.{name}"] = shape, [single(size * draw.gauss(0, 1)) for _ in range(count)]
    return common


def make_case(common, rates, o):
    update, names = RULES[o["optimizer"]]
    stored, last = {}, {}
    for name, shape in SHAPES.items():
        p = list(common[f"init.{name}"][1])
        state = {kind: [0.0] * len(p) for kind in names}
        for t, lr in enumerate(rates, 1):
            update(p, common[f"grad{t}.{name}"][1], state, lr, o, t)
            stored[f"step{t}.{name}"] = shape, list(p)
        last |= {f"state.{kind}.{name}": (shape, values) for kind, values in state.items()}
    return stored | last


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    common = make_common(random.Random(1))
    store(folder / "common.safetensors", common)
    rates = [0.05 * (1 + math.cos(math.pi * t / STEPS)) / 2 for t in range(STEPS)]
    cases = {name: DEFAULTS | case for name, case in CASES.items()}
    for name, case in cases.items():
        store(folder / f"{name}.safetensors", make_case(common, rates, case))
    (folder / "optim.json").write_text(json.dumps({"lr_per_step": rates, "cases": cases}) + "\n")


main(Path(sys.argv[1]))
