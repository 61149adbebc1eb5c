"""Compares training steps of icl, or forward passes, with those of PyTorch. README.md says what is measured and how."""

import argparse
import os
import platform
import re
import socket
import statistics
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

import callgrind
import clock
import inside
import startup
from contender import Contender, ContenderFailed
from intervals import estimate
from lineup import EVALUATION_BATCHES, FOLDER, NETWORKS, Entry, Task
from turns import Limits, Match

BUILT = FOLDER.parents[1] / "build/release"
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
    parser.add_argument("models", nargs="*", default=["resnet_preact-20"], metavar="MODEL",
                        help="default: resnet_preact-20")
    parser.add_argument("--precision", choices=("f32", "bf16", "both"), default="both")
    parser.add_argument("--batch", type=int, help="images a step in place of the model's own")
    parser.add_argument("--rounds", type=int, default=8, help="of turns, at least; default: %(default)s")
    parser.add_argument("--most-rounds", type=int, default=24,
                        help="while the ratio is not known within 5 %%; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1800,
                        help="of a table, after which no round beyond --rounds begins; default: %(default)s")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--evaluate", action="store_true", help="forward passes without gradients, of "
                        + " and ".join(map(str, EVALUATION_BATCHES)) + " images unless --batch is given")
    measured = parser.add_mutually_exclusive_group()
    measured.add_argument("--scaling", action="store_true", help="the throughput on --threads threads against one")
    measured.add_argument("--ranks", action="store_true", help="the throughput of icl in --threads processes of one "
                          "thread each, which share the batch, against one process")
    measured.add_argument("--callgrind", action="store_true",
                          help=f"the instructions of a step of icl on one thread, with {callgrind.BATCH} images unless "
                          "--batch is given; nothing is timed")
    parser.add_argument("--no-icl", action="store_true", help="measure PyTorch alone")
    parser.add_argument("--no-torch", action="store_true", help="measure icl alone")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--real-time", action="store_true",
                        help="stop everything else during a turn, on a machine that is never quiet; needs root")
    parser.add_argument("--profile", action="store_true", help="print the whole profile of icl as well")
    parser.add_argument("--icl", type=Path, default=BUILT / "icl", help="the executable")
    parser.add_argument("--clock", type=Path, default=BUILT / "tests/bench_clock", help="the executable of clock.c")
    parser.add_argument("--venv", type=absolute, help="folder with the PyTorch of pip, made by torch_setup.sh")
    args = parser.parse_args()
    for name in args.models:
        if name not in NETWORKS:
            parser.error(f"{name} is not known; there are {', '.join(NETWORKS)}")
    least = 1 if args.evaluate else 2
    if args.rounds < 1 or args.threads < 1 or (args.batch is not None and args.batch < least):
        parser.error(f"--rounds and --threads are at least 1, --batch at least {least}")
    if args.no_icl and (args.no_torch or args.callgrind):
        parser.error("--no-icl leaves nothing to measure")
    if (args.scaling or args.ranks) and args.threads < 2:
        parser.error("--scaling and --ranks compare one with several: --threads must be 2 at least")
    if args.ranks and (args.evaluate or args.no_icl):
        parser.error("--ranks measures training steps of icl: leave out --evaluate and --no-icl")
    args.limits = Limits(args.rounds, max(args.rounds, args.most_rounds), args.seconds)
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


def fastest(seconds: list[list[float]]) -> int:
    """The index of the fastest PyTorch; icl is the first."""
    return min(range(1, len(seconds)), key=lambda index: statistics.median(seconds[index]))


def gains(seconds: list[list[float]], index: int | None = None) -> list[float]:
    """How many times as fast as the contender of this index icl is in each round; of the fastest without one."""
    others = seconds[fastest(seconds) if index is None else index]
    return [other / own for own, other in zip(seconds[0], others)]


def report(probes: list[Probe], match: Match, batch: int) -> None:
    seconds = match.seconds()
    against = probes[0].entry.label == "icl" and len(probes) > 1
    print(f"{'':34}{'images/s':>9}{'ms/step':>9}{'peak MiB':>10}{'start s':>9}{'1st step s':>12}  icl is faster by")
    for index, p in enumerate(probes):
        step = statistics.median(seconds[index])
        label = p.description.split(",")[0] + p.entry.label.partition("PyTorch")[2]
        gain = str(estimate(gains(seconds, index))) if against and index > 0 else ""
        print(f"{label:34}{batch / step:9.0f}{1e3 * step:9.2f}{p.peak_mib:10.0f}{p.start_seconds:9.2f}"
              f"{p.first_step_seconds:12.2f}  {gain}")
    if against:
        gain = estimate(gains(seconds))
        leanest = min(probes[1:], key=lambda p: p.peak_mib)
        print(f"speed against {probes[fastest(seconds)].entry.label}, the fastest: {gain}; {gain.meaning}")
        print(f"peak memory against {leanest.entry.label}, the leanest: {probes[0].peak_mib / leanest.peak_mib:.2f}")
    print(match.summary(), flush=True)


def report_inside(contender: Contender, task: Task, entry: Entry, args: argparse.Namespace) -> None:
    print(inside.overhead(contender))
    text = inside.profile(entry, args.real_time)
    if not task.evaluates:
        print(inside.augmentation(text))
    if args.profile:
        print(text)


def compare(task: Task, args: argparse.Namespace, timer: clock.Clock, cache: str) -> bool:
    """Measures and prints one table; false if a contender was left out."""
    print(f"\n== {task.title}, {task.threads} threads ==", flush=True)
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
            with_icl = probes[0].entry.label == "icl"
            match = Match(contenders, timer, task.evaluates)
            match.play(args.limits, gains if with_icl and len(probes) > 1 else None)
            report(probes, match, task.batch)
            if with_icl:
                report_inside(contenders[0], task, probes[0].entry, args)
    return len(probes) == len(candidates)


def scaled(few: Entry, many: Entry, args: argparse.Namespace, timer: clock.Clock, task: Task) -> None:
    """Prints a row: the rates of few and of many, and how many times as fast many are."""
    with closing(Contender(few, NEVER_RETURN_MEMORY, args.real_time)) as one, \
            closing(Contender(many, NEVER_RETURN_MEMORY, args.real_time)) as several:
        match = Match([several, one], timer, task.evaluates)
        match.play(args.limits, gains)
        rates = [task.batch / statistics.median(seconds) for seconds in match.seconds()]
        gain = estimate(gains(match.seconds()))
        print(f"{few.label:34}{rates[1]:12.0f}{rates[0]:12.0f}  {gain}; {gain.meaning}")
        print(match.summary(), flush=True)


def scale(task: Task, args: argparse.Namespace, timer: clock.Clock, cache: str) -> bool:
    """Prints how much faster more threads make each contender; false if one was left out."""
    print(f"\n== {task.title}, 1 and {task.threads} threads ==")
    print(f"{'images/s':34}{'1 thread':>12}{f'{task.threads} threads':>12}  ratio", flush=True)
    complete = True
    for few, many in zip(replace(task, threads=1).entries(cache), task.entries(cache)):
        try:
            scaled(few, many, args, timer, task)
        except (ContenderFailed, OSError) as error:
            print(f"skipped: {error}", flush=True)
            complete = False
    return complete


def share(task: Task, args: argparse.Namespace, timer: clock.Clock, cache: str) -> bool:
    """Prints what the step keeps of its speed as several processes."""
    print(f"\n== {task.title}, one process of {task.threads} threads and {task.threads} of one ==")
    print(f"{'images/s':34}{'threads':>12}{'processes':>12}  ratio", flush=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # free, until somebody takes it
    scaled(task.entries(cache)[0], task.ranks(port), args, timer, task)
    return True


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in lines if ":" in line)
    kind = ", ".join(f"{name} {fields[name]}" for name in ("cpu family", "model") if name in fields)
    return f"{fields.get('model name', platform.machine())} ({kind}), {os.cpu_count()} cores"


def tasks(args: argparse.Namespace) -> Iterator[Task]:
    for name in args.models:
        network = NETWORKS[name]
        own = (callgrind.BATCH,) if args.callgrind else EVALUATION_BATCHES if args.evaluate else (network.batch,)
        for precision in ("f32", "bf16") if args.precision == "both" else (args.precision,):
            for batch in (args.batch,) if args.batch else own:
                yield Task(network, batch, precision, args.threads, None if args.no_icl else args.icl, args.venv,
                           not args.no_compile, args.evaluate, not args.no_torch)


def measure(args: argparse.Namespace) -> bool:
    """Prints all tables; false if a contender was left out of one."""
    if not args.no_icl:
        print(f'start-up of icl -e "": {1e3 * startup.seconds(str(args.icl)):.1f} ms')
    table = scale if args.scaling else share if args.ranks else compare
    # The cache is that of torch.compile, whose first step so compiles.
    with tempfile.TemporaryDirectory() as cache, \
            closing(clock.start(args.clock, args.threads, args.real_time)) as timer:
        return all([table(task, args, timer, cache) for task in tasks(args)])


def count_instructions(args: argparse.Namespace) -> bool:
    """Prints a line for each task; false if one could not be counted."""
    complete = True
    for task in tasks(args):
        try:
            millions = callgrind.of_a_step(replace(task, threads=1).entries("")[0]) / 1e6
            print(f"{task.title}: {millions:.2f} million instructions a step, with AVX2 on one thread", flush=True)
        except callgrind.NotCounted as error:
            print(f"skipped: {error}", flush=True)
            complete = False
    return complete


def main() -> None:
    args = arguments()
    print(processor())
    sys.exit(0 if (count_instructions if args.callgrind else measure)(args) else 1)


if __name__ == "__main__":
    main()
