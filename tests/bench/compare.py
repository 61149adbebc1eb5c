"""Compares training steps of icl with those of PyTorch: the contenders take turns, a few steps each, so that a drift of
the clock hits all of them alike. README.md says what is measured and how."""

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import inside
import startup
from contender import Contender, ContenderFailed, Turn
from lineup import FOLDER, NETWORKS, Entry, Task

TURN_SECONDS = 0.6  # about; long enough for the ticks of /proc/stat to show 4 % of two cores
FOREIGN_LIMIT = 0.04
TRIES = 6  # how often a turn is repeated when other processes took more than FOREIGN_LIMIT of the cores
NEVER_RETURN_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@dataclass(frozen=True)
class Probe:
    """What a short run of a contender showed."""

    entry: Entry
    parameters: int
    description: str
    start_seconds: float
    first_step_seconds: float
    peak_mib: float


def absolute(text: str) -> Path:
    return Path(text).absolute()


def arguments() -> argparse.Namespace:
    table = "\n".join(f"  {name:22}{network.title}, batch {network.batch}" for name, network in NETWORKS.items())
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__, epilog="models:\n" + table,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=NETWORKS, metavar="MODEL")
    parser.add_argument("--precision", choices=("f32", "bf16", "both"), default="both")
    parser.add_argument("--batch", type=int, help="images a step in place of the model's own")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--no-icl", action="store_true", help="measure PyTorch alone")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--real-time", action="store_true",
                        help="stop everything else during a turn, on a machine that is never quiet; needs root")
    parser.add_argument("--profile", action="store_true", help="print the whole profile of icl as well")
    parser.add_argument("--icl", type=Path, default=FOLDER.parents[1] / "build/release/icl", help="the executable")
    parser.add_argument("--venv", type=absolute, help="folder with the PyTorch of pip, made by torch_setup.sh")
    args = parser.parse_args()
    if args.rounds < 1 or args.threads < 1 or (args.batch is not None and args.batch < 2):
        parser.error("--rounds and --threads are at least 1, --batch at least 2")
    return args


def probe(entry: Entry) -> Probe:
    """A run of four steps with the allocator as it comes."""
    with closing(Contender(entry, {})) as contender:
        contender.watch_memory()
        first = contender.steps(1)
        contender.steps(3)
        return Probe(entry, contender.parameters, contender.description, contender.start_seconds, first.seconds[0],
                     contender.peak_mib())


def probe_all(candidates: list[Entry]) -> list[Probe]:
    probes = []
    for entry in candidates:
        try:
            probes.append(probe(entry))
        except (ContenderFailed, OSError) as error:
            print(f"skipped: {error}", flush=True)
    if len({p.parameters for p in probes}) > 1:
        counts = ", ".join(f"{p.entry.label} {p.parameters}" for p in probes)
        sys.exit(f"compare.py: the networks differ in their number of parameters: {counts}")
    return probes


def quiet_turn(contender: Contender, count: int) -> Turn:
    """The first turn that other processes leave alone; if there is none, the least disturbed."""
    turns: list[Turn] = []
    while len(turns) < TRIES and (not turns or turns[-1].foreign > FOREIGN_LIMIT):
        if turns:
            time.sleep(0.5)
        turns.append(contender.steps(count))
    return min(turns, key=lambda turn: turn.foreign)


def few_steps(contender: Contender) -> tuple[float, float]:
    """Mean loss and least seconds of four steps. Labels differ from step to step, so one loss says little."""
    turns = [contender.steps(1) for _ in range(4)]
    return statistics.mean(turn.loss for turn in turns), min(turn.seconds[0] for turn in turns)


def play(contenders: list[Contender], rounds: int) -> list[list[Turn]]:
    """The turns of each round, in the order of the contenders."""
    first_losses, counts = [], []
    for contender in contenders:
        loss, seconds = few_steps(contender)
        first_losses.append(loss)
        counts.append(min(20, max(2, round(TURN_SECONDS / seconds))))
    played = [[quiet_turn(c, count) for c, count in zip(contenders, counts)] for _ in range(rounds)]
    for contender, first in zip(contenders, first_losses):
        last, _ = few_steps(contender)
        if not last < first:
            sys.exit(f"compare.py: {contender.label} does not learn: its loss went from {first} to {last}")
    return played


def middle(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def report(probes: list[Probe], played: list[list[Turn]], batch: int) -> None:
    quiet = [turns for turns in played if all(turn.foreign <= FOREIGN_LIMIT for turn in turns)]
    rates = [[batch / statistics.median(turn.seconds) for turn in turns] for turns in zip(*(quiet or played))]
    with_icl = probes[0].entry.label == "icl"

    def gains(index: int) -> list[float]:
        return [own / other for own, other in zip(rates[0], rates[index])]

    print(f"{'':34}{'images/s':>9}{'ms/step':>9}{'peak MiB':>10}{'start s':>9}{'1st step s':>12}  icl is faster by")
    for index, p in enumerate(probes):
        rate = statistics.median(rates[index])
        label = p.description.split(",")[0] + p.entry.label.partition("PyTorch")[2]
        gain = middle(gains(index)) if with_icl and index > 0 else ""
        print(f"{label:34}{rate:9.0f}{1e3 * batch / rate:9.1f}{p.peak_mib:10.0f}{p.start_seconds:9.2f}"
              f"{p.first_step_seconds:12.2f}  {gain}")
    if with_icl and len(probes) > 1:
        fastest = max(range(1, len(probes)), key=lambda index: statistics.median(rates[index]))
        leanest = min(probes[1:], key=lambda p: p.peak_mib)
        print(f"speed against {probes[fastest].entry.label}, the fastest: {middle(gains(fastest))}")
        print(f"peak memory against {leanest.entry.label}, the leanest: {probes[0].peak_mib / leanest.peak_mib:.2f}")
    print(f"rounds without other load: {len(quiet)} of {len(played)}"
          + ("" if quiet else "; the figures are from rounds with other load"))


def report_inside(contender: Contender, entry: Entry, args: argparse.Namespace) -> None:
    print(inside.overhead(contender))
    text = inside.profile(entry, args.real_time)
    print(inside.augmentation(text))
    if args.profile:
        print(text)


def compare(task: Task, args: argparse.Namespace, cache: str) -> bool:
    """Measures and prints one table; false if a contender was left out."""
    print(f"\n== {task.network.title}, batch {task.batch}, {task.precision}, {task.threads} threads ==", flush=True)
    candidates = task.entries(cache)
    probes = probe_all(candidates)
    for p in probes:
        print(f"{p.entry.label}: {p.description}", flush=True)
    with ExitStack() as stack:
        contenders = []
        for p in probes:
            contender = Contender(p.entry, NEVER_RETURN_MEMORY, args.real_time)
            contenders.append(stack.enter_context(closing(contender)))
        if contenders:
            report(probes, play(contenders, args.rounds), task.batch)
            if probes[0].entry.label == "icl":
                report_inside(contenders[0], probes[0].entry, args)
    return len(probes) == len(candidates)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in lines if ":" in line)
    kind = ", ".join(f"{name} {fields[name]}" for name in ("cpu family", "model") if name in fields)
    return f"{fields.get('model name', platform.machine())} ({kind}), {os.cpu_count()} cores"


def main() -> None:
    args = arguments()
    print(processor())
    icl = None if args.no_icl else args.icl
    if icl:
        print(f'start-up of icl -e "": {1e3 * startup.seconds(str(icl)):.1f} ms')
    complete = True
    precisions = ("f32", "bf16") if args.precision == "both" else (args.precision,)
    with tempfile.TemporaryDirectory() as cache:  # compiled kernels, so that the first step compiles
        for name in args.models:
            for precision in precisions:
                network = NETWORKS[name]
                task = Task(network, args.batch or network.batch, precision, args.threads, icl, args.venv,
                            not args.no_compile)
                complete = compare(task, args, cache) and complete
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
