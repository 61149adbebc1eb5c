"""Where the time of a training step of icl goes: what recording it costs, and what its ops cost by kind."""

import re
from contextlib import closing

from contender import Contender
from lineup import Entry

STEPS = 20
AUGMENTATION = ("bernoulli", "crop", "flip", "gather", "normalize", "randint", "uniform")


def overhead(contender: Contender) -> str:
    """The shares of a step in which it is recorded and bound to its plan, not computed."""
    before = contender.statistics()
    total = sum(contender.steps(STEPS).seconds)
    after = contender.statistics()
    binding, computing = (after[name] - before[name] for name in ("record_seconds", "run_seconds"))
    recording = total - binding - computing
    return (f"of a step of icl: recording in Lua {100 * recording / total:.1f} %, hashing and binding to the plan "
            f"{100 * binding / total:.1f} %; plans made meanwhile: {after['plans_made'] - before['plans_made']:.0f}")


def profile(entry: Entry, real_time: bool) -> str:
    """The profile of the training step, from a process of its own since measuring each op costs time."""
    profiled = Entry(entry.label, [*entry.command, "--profile"], entry.environment)
    with closing(Contender(profiled, {}, real_time)) as contender:
        contender.steps(STEPS)
        plans = re.split(r"^(?=plan of )", contender.profile(), flags=re.M)
    return max(plans, key=lambda text: len(text.splitlines()))  # the others prepare the set and the parameters


def op_times(text: str) -> dict[str, float]:
    """Milliseconds of a step by op."""
    table = re.search(r"^op +ms .*\n((?:.+\n)*)", text, flags=re.M)
    if not table:
        raise ValueError(f"the profile has no table of ops:\n{text}")
    rows = (line.rsplit(maxsplit=4) for line in table[1].splitlines())
    return {name.strip(): float(milliseconds) for name, milliseconds, _share, _units, _moved in rows}


def augmentation(text: str) -> str:
    times = op_times(text)
    share = sum(times.get(name, 0) for name in AUGMENTATION) / sum(times.values())
    return f"of the time in ops: gathering and augmenting the images {100 * share:.1f} %"
