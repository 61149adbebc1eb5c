"""A contender of the benchmark: a process that runs one network and answers requests, as README.md describes."""

import os
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Iterator

from lineup import Entry

ANSWER_LIMIT = 900  # seconds; compiling a large network takes minutes
REAL_TIME_PAUSE = 0.15  # seconds before a turn; Linux halts real-time processes that take more than 95 % of a second
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ContenderFailed(Exception):
    """The process ended, was silent for too long, or answered something else than the protocol says."""


@dataclass(frozen=True)
class Turn:
    """Some steps in a row."""

    seconds: list[float]
    loss: float  # of the last step; in evaluation the mean of its logits
    foreign: float  # share of the machine's cores that other processes used meanwhile


def busy_ticks() -> int:
    """Ticks that all cores together were busy since the machine started, time taken by the hypervisor included."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq + steal


def family(pid: int) -> list[int]:
    """The process and its children, as far as they run."""
    members = [pid]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
            for child in file.read().split():
                with suppress(OSError):  # it may end meanwhile
                    members += family(int(child))
    return members


def process_ticks(pid: int) -> int:
    ticks = 0
    for member in family(pid):
        with suppress(OSError), open(f"/proc/{member}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks


def set_policy(pid: int, policy: int, priority: int) -> None:
    for member in family(pid):
        for thread in os.listdir(f"/proc/{member}/task"):
            with suppress(ProcessLookupError):  # a thread may end meanwhile
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


class Contender:
    def __init__(self, entry: Entry, environment: dict[str, str], real_time: bool = False,
                 patience: float = ANSWER_LIMIT) -> None:
        """Starts the process, with `environment` besides the entry's own, and waits until its network is built. With
        real_time its steps are run before anything else that the machine has to do. `patience`: seconds that it may
        take for an answer."""
        self.label = entry.label
        self._real_time = real_time
        self.patience = patience
        self._log = tempfile.TemporaryFile("w+", errors="replace")
        start = time.perf_counter()
        self._process = subprocess.Popen(entry.command, env={**os.environ, **entry.environment, **environment},
                                         text=True, stderr=self._log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        word, parameters, self.description = (self._answer().split(maxsplit=2) + ["", "", ""])[:3]
        self.start_seconds = time.perf_counter() - start
        if word != "ready" or not parameters.isdigit():
            raise self._failure("did not say `ready PARAMETERS DESCRIPTION`")
        self.parameters = int(parameters)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def steps(self, count: int) -> Turn:
        with self.precedence():
            start, busy, own = time.perf_counter(), busy_ticks(), process_ticks(self._process.pid)
            answer = self.ask(f"step {count}")
            elapsed = time.perf_counter() - start
            foreign = (busy_ticks() - busy) - (process_ticks(self._process.pid) - own)
        try:
            loss, *seconds = map(float, answer.split())
        except ValueError:
            raise self._failure(f"answered {answer!r} in place of numbers") from None
        if len(seconds) != count:
            raise self._failure(f"was asked for {count} steps and gave {len(seconds)} times")
        return Turn(seconds, loss, foreign / TICKS_PER_SECOND / (elapsed * os.cpu_count()))

    @contextmanager
    def precedence(self) -> Iterator[None]:
        """Real-time priority for the contender and, so that it is not kept waiting, for this process."""
        if not self._real_time:
            yield
            return
        time.sleep(REAL_TIME_PAUSE)
        set_policy(os.getpid(), os.SCHED_FIFO, 2)
        set_policy(self._process.pid, os.SCHED_FIFO, 1)
        try:
            yield
        finally:
            with suppress(OSError):  # the contender may have ended
                set_policy(self._process.pid, os.SCHED_OTHER, 0)
            set_policy(os.getpid(), os.SCHED_OTHER, 0)

    def numbers(self, request: str) -> dict[str, float]:
        """The answer to a request whose answer is `name=number` for each of some numbers."""
        return {name: float(value) for name, value in (word.split("=") for word in self.ask(request).split())}

    def statistics(self) -> dict[str, float]:
        """What it counted since it started."""
        return self.numbers("statistics")

    def profile(self) -> str:
        """The times icl took by op, layer and phase, if it was started with --profile."""
        return "\n".join(self._answer() for _ in range(int(self.ask("profile"))))

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch_memory(self) -> None:
        """From here on peak_mib() counts."""
        self._forget_peak()
        self._resident_at_start = self._memory("VmRSS")

    def peak_mib(self) -> float:
        """Most memory that was resident so far, above what was when watch_memory() was called."""
        return (self._memory("VmHWM") - self._resident_at_start) / 1024

    def _forget_peak(self) -> None:
        """Sets VmHWM to what is resident now."""
        with open(f"/proc/{self._process.pid}/clear_refs", "w") as file:
            file.write("5")

    def _memory(self, name: str) -> int:
        """A memory figure of the process in KiB."""
        with open(f"/proc/{self._process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def ask(self, request: str) -> str:
        """The answer to a request that is one line."""
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended; waiting for its answer tells why
        return self._answer()

    def _answer(self) -> str:
        timer = threading.Timer(self.patience, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            raise self._failure(f"gave no answer and ended with code {self._process.wait()}")
        return line.rstrip("\n")

    def _failure(self, what: str) -> ContenderFailed:
        self._process.kill()
        self._log.seek(0)
        tail = "".join("\n    " + line.rstrip() for line in self._log.readlines()[-12:])
        return ContenderFailed(f"{self.label} {what}{tail}")
