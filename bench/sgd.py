#!/usr/bin/env python3
"""Speed of sgflow's SGD beside others, in replica-steps per second, in the same run.

    make bench && ../bench/sgd.py [--rounds N] [--seconds S] [--output FILE]

Run it in the build folder. Peers: NumPy, all replicas in one batched array (of three numbers of replicas the fastest);
PyTorch, the same with torch.bmm, and numba, one replica after the other, where they are installed; C with cblas_dgemm,
compiled here from sgd_cblas.c. Each round runs every program once; the table shows medians over rounds of the rate per
second of processor time of one thread, which other processes on the machine change little, and of wall clock with one
thread and with two. Peers only step: they draw minibatches and keep no moments. Writes sgd.csv.
"""

import argparse
import csv
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.abspath("bench/sgd")
#        widths, P, S, learning rate: those of sgd.c
CASES = [([50, 1], 100, 10, 0.01), ([20, 20, 20], 400, 20, 0.01), ([100, 100, 100], 1000, 50, 0.002)]


def make(case):
    import numpy

    widths, samples, batch, rate = CASES[case - 1]
    random = numpy.random.default_rng(1)
    X = random.standard_normal((samples, widths[0]))
    Y = random.standard_normal((samples, widths[-1]))
    W = [random.standard_normal((b, a)) / a**0.5 for a, b in zip(widths, widths[1:])]
    return random, X, Y, W, batch, rate


def measure(step, replicas, seconds):
    """Replica-steps per second of processor time and of wall clock of a function that takes one step of all."""
    step()
    wall, own, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
        step()
        steps += 1
    return replicas * steps / (time.process_time() - own), replicas * steps / (time.perf_counter() - wall)


def numpy_batched(case, seconds):
    import numpy

    best = (0.0, 0.0)
    for replicas in (16, 64, 256):
        random, X, Y, W, batch, rate = make(case)
        V = [numpy.repeat(w.T[None], replicas, axis=0) for w in W]

        def step():
            index = random.integers(0, len(X), (replicas, batch))
            h = [X[index]]
            for v in V:
                h.append(h[-1] @ v)
            e = (h[-1] - Y[index]) / batch
            for l in reversed(range(len(V))):
                below = e @ V[l].transpose(0, 2, 1) if l else None
                V[l] -= rate * (h[l].transpose(0, 2, 1) @ e)
                e = below

        best = max(best, measure(step, replicas, seconds / 3))
    return best


def torch_batched(case, seconds):
    import numpy
    import torch

    torch.set_num_threads(1)
    best = (0.0, 0.0)
    for replicas in (16, 64, 256):
        _, X, Y, W, batch, rate = make(case)
        X, Y = torch.from_numpy(X), torch.from_numpy(Y)
        V = [torch.from_numpy(numpy.repeat(w.T[None], replicas, axis=0)) for w in W]

        def step():
            index = torch.randint(len(X), (replicas, batch))
            h = [X[index]]
            for v in V:
                h.append(torch.bmm(h[-1], v))
            e = (h[-1] - Y[index]) / batch
            for l in reversed(range(len(V))):
                below = torch.bmm(e, V[l].transpose(1, 2)) if l else None
                V[l] -= rate * torch.bmm(h[l].transpose(1, 2), e)
                e = below

        with torch.no_grad():
            best = max(best, measure(step, replicas, seconds / 3))
    return best


def numba_loops(case, seconds):
    import numba
    import numpy

    _, X, Y, W, batch, rate = make(case)
    V = tuple(numpy.ascontiguousarray(w.T) for w in W)

    @numba.njit
    def steps(X, Y, V, batch, rate, count):
        for _ in range(count):
            index = numpy.random.randint(0, len(X), batch)
            first = X[index]
            second = first @ V[0]
            if len(V) == 1:
                V[0][:] -= rate * (first.T @ ((second - Y[index]) / batch))
            else:
                e = (second @ V[-1] - Y[index]) / batch
                below = e @ V[-1].T
                V[-1][:] -= rate * (second.T @ e)
                V[0][:] -= rate * (first.T @ below)

    steps(X, Y, V, batch, rate, 1)
    return measure(lambda: steps(X, Y, V, batch, rate, 100), 100, seconds)


PEERS = {"NumPy": numpy_batched, "PyTorch": torch_batched, "numba": numba_loops}


def run(command):
    # threads that wait sleep: on a machine that others use too they would spin through what the other one has to wait for
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1800)
    return [float(word) for word in done.stdout.split()] if done.returncode == 0 else None


def programs(folder, seconds):
    """Name, and the command of a case that prints two rates."""
    found = {
        "sgflow": lambda c: [OURS, str(c), "1", seconds],
        "sgflow, 2 threads": lambda c: [OURS, str(c), "2", seconds],
        "sgflow, steps alone": lambda c: [OURS, str(c), "1", seconds, "engine"],
        "sgflow, portable kernels": lambda c: [OURS, str(c), "1", seconds, "portable"],
        "sgflow, indices alone": lambda c: [OURS, str(c), "1", seconds, "sampler"],
    }
    cblas = os.path.join(folder, "cblas")
    source = os.path.join(HERE, "sgd_cblas.c")
    if run(["cc", "-O3", "-march=native", "-o", cblas, source, "-lopenblas", "-lm"]) is not None:
        found["C with cblas"] = lambda c: [cblas, *[str(w) for w in (CASES[c - 1][0] + [0])[:3]],
                                           *[str(v) for v in CASES[c - 1][1:]], seconds]
    for peer, module in (("NumPy", "numpy"), ("PyTorch", "torch"), ("numba", "numba")):
        for python in (sys.executable, "/usr/bin/python3"):
            if run([python, "-c", f"import numpy, {module}"]) is not None:
                found[peer] = lambda c, p=peer, y=python: [y, __file__, "--peer", p, str(c), "--seconds", seconds]
                break
    for name in ("C with cblas", *PEERS):
        if name not in found:
            print(f"{name}: not installed, left out", file=sys.stderr)
    return found


def machine():
    name = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--output", default="sgd.csv")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        print(*PEERS[options.peer[0]](int(options.peer[1]), options.seconds))
        return
    folder = tempfile.mkdtemp()
    try:
        commands = programs(folder, str(options.seconds))
        rates = {}
        for _ in range(options.rounds):
            for case in range(1, len(CASES) + 1):
                for name, command in commands.items():
                    pair = run(command(case))
                    if pair is not None and len(pair) == 2:
                        # ours print wall clock first
                        wall, own = pair if name.startswith("sgflow") else pair[::-1]
                        rates.setdefault((case, name), []).append((own, wall))
    finally:
        shutil.rmtree(folder)
    with open(options.output, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["machine", "widths", "P", "S", "program", "per_processor_second", "per_second", "rounds"])
        print("| network | program | per second of processor | per second | sgflow / program |\n|---|---|---|---|---|")
        for (case, name), pairs in rates.items():
            own, wall = (statistics.median(pair[k] for pair in pairs) for k in (0, 1))
            ours = statistics.median(pair[0] for pair in rates[case, "sgflow"])
            widths = "-".join(map(str, CASES[case - 1][0]))
            table.writerow([machine(), widths, *CASES[case - 1][1:3], name, f"{own:.4g}", f"{wall:.4g}", len(pairs)])
            print(f"| {widths} | {name} | {own:.3g} | {wall:.3g} | {ours / own:.2f} |")


if __name__ == "__main__":
    main()
