#!/usr/bin/env python3
"""SciPy on systems from files, see systems.h.

peers.py SYSTEMS ANSWER prints seconds (wall, CPU) and SciPy's remark, with tabs between."""

import sys
import time
import warnings

import numpy
import scipy.linalg


def read(path):
    numbers = numpy.fromfile(path)
    count, n = int(numbers[0]), int(numbers[1])
    matrices = numbers[4:].reshape(count, -1, n, n)
    return matrices[:, 0].copy(), matrices[:, 1].copy(), numbers[2] != 0


def main(systems, answer):
    drifts, right_hand_sides, discrete = read(systems)
    solve = scipy.linalg.solve_discrete_lyapunov if discrete else scipy.linalg.solve_continuous_lyapunov
    solutions, remark = numpy.full_like(drifts, numpy.nan), ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start, cpu = time.perf_counter(), time.process_time()
        for k in range(len(drifts)):
            try:
                solutions[k] = solve(drifts[k], right_hand_sides[k])
            except (ValueError, numpy.linalg.LinAlgError) as error:
                remark = str(error)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    for warning in caught:
        remark = str(warning.message)
    solutions.tofile(answer)
    print(f"{seconds:.9f}\t{cpu:.9f}\t{' '.join(remark.split())}")


main(*sys.argv[1:])
