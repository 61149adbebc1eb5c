"""Compares training steps of icl on a GPU with those of PyTorch there: eager, compiled, compiled with CUDA graphs. All
contenders of a table are started at once and then take turns; README.md says what is measured."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from contender import Contender, ContenderFailed
from lineup import DEVICE_MODES, DEVICE_NETWORKS, FOLDER, DeviceTask, Entry

PRECISIONS = ("bf16", "tf32", "f32", "f16")
START = 150  # seconds that a contender may take until its first steps are done
LEAST = 30  # seconds below which no table is begun
MIB = 1 << 20


@dataclass
class Result:
    """What one contender of a table reached."""

    entry: Entry
    contender: Contender
    first_seconds: float  # of the first step, with planning or compiling
    steps_a_turn: int = 0
    first_loss: float = 0
    turns: list[float] = field(default_factory=list)  # seconds of a step
    process_mib: int = 0  # of the GPU's memory, with the libraries' own
    counted: dict[str, float] = field(default_factory=dict)  # by the contender, behind the last turn
    kernels: str = ""

    @property
    def name(self) -> str:
        return self.entry.label

    @property
    def milliseconds(self) -> float:
        return 1e3 * statistics.median(self.turns)

    @property
    def host_milliseconds(self) -> float:
        """Of a step, until all of it was handed to the GPU."""
        return 1e3 * self.counted["host_seconds"]

    @property
    def used_mib(self) -> float:
        """What the contender's allocator took: PyTorch's reserved memory, icl's arena and values."""
        own = self.counted
        return own.get("reserved_bytes", own.get("arena_bytes", 0) + own.get("value_bytes", 0)) / MIB

    def figures(self, task: str) -> dict[str, object]:
        return {"task": task, "contender": self.name, "ms": self.milliseconds, "turns": self.turns,
                "host_ms": self.host_milliseconds, "used_mib": self.used_mib, "process_mib": self.process_mib,
                "kernels": self.kernels}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: all of {', '.join(DEVICE_NETWORKS)}")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="default: %(default)s")
    parser.add_argument("--modes", default=",".join(DEVICE_MODES), help="of PyTorch; default: %(default)s")
    parser.add_argument("--device", default="cuda", help="icl's name of it")
    parser.add_argument("--torch-device", default="cuda", help="PyTorch's name of it; cpu tries the program out")
    parser.add_argument("--seconds", type=float, default=3600, help="no table is begun that may end later")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn", type=float, default=0.4, help="seconds of a turn, about")
    parser.add_argument("--batch", type=int, help="images a step in place of the model's own")
    parser.add_argument("--no-icl", action="store_true", help="measure PyTorch alone")
    parser.add_argument("--warm", type=int, metavar="N", help="only fill torch.compile's cache, N processes at a time")
    parser.add_argument("--icl", type=Path, default=FOLDER.parents[1] / "build/release/icl", help="the executable")
    parser.add_argument("--cache", type=Path, help="folder for what torch.compile makes")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    args.precisions, args.modes = args.precisions.split(","), args.modes.split(",")
    for given, known in (args.models, DEVICE_NETWORKS), (args.precisions, PRECISIONS), (args.modes, DEVICE_MODES):
        for name in given:
            if name not in known:
                parser.error(f"{name} is not known; there are {', '.join(known)}")
    return args


def log(text: str) -> None:
    print(text, flush=True)


def tasks(args: argparse.Namespace, cache: Path) -> list[DeviceTask]:
    """The first three networks in all precisions, then the others."""
    names = args.models or list(DEVICE_NETWORKS)
    found = []
    for group in (names[:3], names[3:]):
        for precision in args.precisions:
            for name in group:
                network = DEVICE_NETWORKS[name]
                network = replace(network, batch=args.batch or network.batch)
                icl = None if args.no_icl else args.icl
                found.append(DeviceTask(network, precision, icl, args.device, args.torch_device, cache, args.modes))
    return found


def start(entry: Entry, end: float) -> Result | str:
    """The contender after its first steps, or why there is none by then."""
    contender = None
    try:
        contender = Contender(entry, {}, patience=end - time.monotonic())
        contender.patience = end - time.monotonic()
        first = contender.steps(1).seconds[0]
        contender.steps(4)
        return Result(entry, contender, first)
    except (ContenderFailed, OSError) as error:
        if contender:
            contender.close()
        return str(error)


def process_memory() -> dict[int, int]:
    """MiB of the GPU's memory by process, as the driver counts them."""
    if not shutil.which("nvidia-smi"):
        return {}
    command = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    pairs = (line.split(",") for line in lines if line.count(",") == 1)
    return {int(pid): int(used) for pid, used in pairs if used.strip().isdigit()}


def note_memory(results: list[Result]) -> None:
    by_process = process_memory()
    for r in results:
        r.process_mib = by_process.get(r.contender.pid, 0)


def count_kernels(results: list[Result]) -> None:
    """Of PyTorch that is compiled; a profiler runs meanwhile, so it comes last."""
    for r in results:
        if r.name == "PyTorch compiled":
            try:
                r.kernels = r.contender.ask("kernels").partition("=")[2]
            except ContenderFailed as error:
                log(f"no count of kernels: {error}")


def play(results: list[Result], args: argparse.Namespace, end: float) -> list[Result]:
    """Takes turns until all have theirs, or the time is over; those that came through it."""
    left = list(results)
    for turn in range(-1, args.rounds + 1):
        for r in list(left):
            r.contender.patience = end - time.monotonic()
            try:
                if turn < 0:
                    r.steps_a_turn = min(400, max(2, round(args.turn / r.contender.steps(4).seconds[0])))
                    r.first_loss = mean_loss(r)
                elif turn < args.rounds:
                    r.turns.append(r.contender.steps(r.steps_a_turn).seconds[0])
                else:
                    r.counted = r.contender.statistics()
                    if not mean_loss(r) < r.first_loss:
                        log(f"{r.name} does not learn: its loss did not fall")
            except ContenderFailed as error:
                log(f"left out: {error}")
                left.remove(r)
    return left


def mean_loss(r: Result) -> float:
    return statistics.mean(r.contender.steps(1).loss for _ in range(4))


def show(task: DeviceTask, results: list[Result]) -> None:
    log(f"{'':26}{'ms/step':>9}{'images/s':>10}{'spread':>8}{'host ms':>9}{'used MiB':>10}{'process MiB':>12}"
        f"{'start s':>9}{'1st step s':>12}")
    for r in results:
        spread = (max(r.turns) - min(r.turns)) / statistics.median(r.turns)
        log(f"{r.name:26}{r.milliseconds:9.3f}{1e3 * task.network.batch / r.milliseconds:10.0f}{spread:8.1%}"
            f"{r.host_milliseconds:9.3f}{r.used_mib:10.0f}{r.process_mib:12}{r.contender.start_seconds:9.1f}"
            f"{r.first_seconds:12.1f}" + (f"  {r.kernels} kernels" if r.kernels else ""))


def ratios(own: Result, other: Result) -> list[float]:
    return sorted(theirs / mine for mine, theirs in zip(own.turns, other.turns))


def conclude(task: DeviceTask, results: list[Result]) -> str:
    """One line about a table."""
    others = [r for r in results if r.name != "icl"]
    own = next((r for r in results if r.name == "icl"), None)
    if not others or not own:
        who = "PyTorch" if own else "icl"
        figures = ", ".join(f"{r.name} {r.milliseconds:.3f} ms" for r in results) or "nobody ran"
        return f"{task.title}: no figure of {who}; {figures}"
    best = min(others, key=lambda r: r.milliseconds)
    gains = ratios(own, best)
    line = (f"{task.title}: icl {own.milliseconds:.3f} ms, {best.name} {best.milliseconds:.3f} ms: "
            f"{statistics.median(gains):.2f} times as fast ({gains[0]:.2f}..{gains[-1]:.2f})")
    lean = min(r.used_mib for r in others)
    if lean:
        line += f"; memory {own.used_mib:.0f} of {lean:.0f} MiB, {own.used_mib / lean:.2f}"
    if own.process_mib:
        lean = min(r.process_mib for r in others if r.process_mib)
        line += f"; of the process {own.process_mib} of {lean} MiB, {own.process_mib / lean:.2f}"
    return line


def compare(task: DeviceTask, args: argparse.Namespace, end: float) -> tuple[str, list[dict]]:
    log(f"\n== {task.title} ==")
    entries = task.entries()
    with ExitStack() as stack:
        with ThreadPoolExecutor(len(entries)) as pool:
            limit = min(end, time.monotonic() + START)
            started = list(pool.map(lambda entry: start(entry, limit), entries))
        for entry, result in zip(entries, started):
            if isinstance(result, str):
                log(f"left out: {result}")
        results = [r for r in started if isinstance(r, Result)]
        for r in results:
            stack.enter_context(closing(r.contender))
        if len({r.contender.parameters for r in results}) > 1:
            log("the networks differ: " + ", ".join(f"{r.name} {r.contender.parameters}" for r in results))
        results = play(results, args, end)
        note_memory(results)
        count_kernels(results)
        show(task, results)
        return conclude(task, results), [r.figures(task.title) for r in results]


def warm(tasks: list[DeviceTask], processes: int) -> None:
    """Compiles, so that the contenders find their kernels ready."""
    entries = [entry for task in tasks for entry in task.entries() if "--compile" in entry.command]

    def once(entry: Entry) -> None:
        begin = time.monotonic()
        result = start(entry, begin + 3600)
        what = " ".join(entry.command[4:])
        log(f"{time.monotonic() - begin:6.1f} s: {what}" + (f": {result}" if isinstance(result, str) else ""))
        if isinstance(result, Result):
            result.contender.close()

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(once, entries))


def main() -> None:
    args = arguments()
    end = time.monotonic() + args.seconds
    lines, figures = [], []
    with tempfile.TemporaryDirectory() as folder:
        wanted = tasks(args, (args.cache or Path(folder)).absolute())
        if args.warm:
            warm(wanted, args.warm)
            return
        for task in wanted:
            if end - time.monotonic() < LEAST:
                lines.append(f"{task.title}: not reached")
                continue
            try:
                line, more = compare(task, args, end)
            except ContenderFailed as error:
                line, more = f"{task.title}: broken off: {error}", []
            lines.append(line)
            figures += more
            if args.json:
                args.json.write_text(json.dumps(figures, indent=1))
    log("\n== summary ==")
    for line in lines:
        log(line)


if __name__ == "__main__":
    main()
