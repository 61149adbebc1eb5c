"""Instructions of a step of icl on one thread, which valgrind counts: as good on a busy machine as on a quiet one. They
are those of AVX2, the widest vectors that valgrind knows."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from lineup import Entry

BATCH = 4  # images, unless told otherwise
BEFORE, COUNTED = 2, 4  # steps; the plans are made in the first ones
AVX2 = {"ICL_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


class NotCounted(Exception):
    """Valgrind is not there, or what it ran failed."""


def instructions(entry: Entry, steps: int) -> int:
    """Of a whole run with so many steps."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", *entry.command]
        try:
            done = subprocess.run(command, env={**os.environ, **entry.environment, **AVX2}, input=f"step {steps}\n",
                                  capture_output=True, text=True)
        except FileNotFoundError:
            raise NotCounted("valgrind is not installed: apt-get install valgrind") from None
        total = re.search(r"^totals: (\d+)", counts.read_text(), re.M) if counts.exists() else None
        if done.returncode or not total:
            tail = "\n    ".join(done.stderr.splitlines()[-12:])
            raise NotCounted(f"{entry.label} under valgrind ended with code {done.returncode}\n    {tail}")
        return int(total[1])


def of_a_step(entry: Entry) -> float:
    return (instructions(entry, BEFORE + COUNTED) - instructions(entry, BEFORE)) / COUNTED
