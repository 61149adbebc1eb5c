"""Prints what the vector kernels reach on one thread, beside a copy of as many bytes: python3 kernels.py TEST_OPS
COPY_RATE [OP...]. Both are programs that kernels.sh builds."""

import re
import subprocess
import sys

ROW = re.compile(r"^(?P<case>\S.*?) +(?P<us>[\d.]+) us +(?P<rate>[\d.]+) GB/s.* on one thread$")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    test_ops, copy_rate, *ops = sys.argv[1:]
    rows = [row for line in output(test_ops, "time", *ops).splitlines() if (row := ROW.match(line))]
    if not rows:
        sys.exit("kernels.py: none of the ops was measured on one thread; those that oneDNN computes never are")
    sizes = [round(float(row["us"]) * float(row["rate"]) * 1e3) for row in rows]
    copies = map(float, output(copy_rate, *map(str, sizes)).split())
    print(f"{'kernel and its inputs':88}{'KiB':>8}{'us':>10}{'GB/s':>8}{'copy':>8}{'share':>7}")
    for row, size, copy in zip(rows, sizes, copies):
        share = float(row["rate"]) / copy
        print(f"{row['case']:88}{size / 1024:8.0f}{row['us']:>10}{row['rate']:>8}{copy:8.1f}{share:7.2f}")


main()
