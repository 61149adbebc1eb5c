"""Prints how long `icl -e ""` takes from its start to its end: python3 startup.py ICL"""

import statistics
import subprocess
import sys
import time


def seconds(icl: str, runs: int = 20) -> float:
    """Median over some runs; the first, which fetches the file from disk, does not count."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run([icl, "-e", ""], check=True, stdin=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    print(f"{seconds(sys.argv[1]) * 1e3:.1f} ms")
