#!/usr/bin/env python3
"""Run `sgflow verify` at every point of a grid and average over the last key, such as the seed.

    python3 sweep.py CONFIG FOLDER KEY=V1,V2,... [KEY=V1,V2,...]
    python3 sweep.py single_layer.yaml rates training.learning_rate=0.02,0.05 seed=1,2,3

Points go to FOLDER/point-00000.h5, ...; what is there is not run again, so that the same command continues a sweep that
was stopped. The table has trace, predicted and measured, and how many points agree.
"""
import csv
import itertools
import pathlib
import subprocess
import sys


def run(*command):
    """Run a command of sgflow. 0 to 2 is a verdict, what is above is a failure with a message on stderr."""
    status = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if status > 2:
        sys.exit(f"sweep.py: {' '.join(map(str, command))}: exit status {status}")


def main():
    if len(sys.argv) < 4 or not all("=" in grid for grid in sys.argv[3:]):
        sys.exit("usage: python3 sweep.py CONFIG FOLDER KEY=V1,V2,... [KEY=V1,V2,...]")
    config, folder, grids = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    run("sgflow", "sweep", config, "--out", folder, *itertools.chain.from_iterable(("--grid", grid) for grid in grids))
    table = folder / "table.csv"
    run("sgflow", "merge", folder, "-o", table)

    with open(table, newline="") as file:
        points = list(csv.DictReader(line for line in file if not line.startswith("#")))
    keys = [grid.partition("=")[0] for grid in grids][:-1] or [grids[0].partition("=")[0]]
    print("  ".join(f"{key:>24}" for key in keys), f"{'predicted':>12} {'measured':>12}  agree")
    for values, group in itertools.groupby(points, key=lambda point: [point[key] for key in keys]):
        group = [point for point in group if point["state"] == "done"]
        if not group:
            continue
        predicted, measured = (sum(float(point[name]) for point in group) / len(group)
                               for name in ("trace_predicted", "trace_measured"))
        agree = sum(point["verdict"] == "agree" for point in group)
        print("  ".join(f"{value:>24}" for value in values), f"{predicted:12.6g} {measured:12.6g}  {agree} of {len(group)}")


if __name__ == "__main__":
    main()
