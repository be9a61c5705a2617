#!/usr/bin/env python3
"""Print what `sgflow verify CONFIG -o out.h5` (or `sgflow compare ... -o out.h5`) found.

    python3 read_results.py out.h5

The verdict, then predicted and measured trace and principal variances. Measured values carry one standard error over
replicas; the interval is that of the relative deviation, widened for the number of quantities tested.
"""
import sys

import h5py
import numpy as np


def quantities(comparison):
    """Name, predicted, measured, standard error, deviation, low, high, verdict of the trace and of each variance."""
    for name in ["trace"] + sorted(key for key in comparison if key.startswith("variance_")):
        group = comparison[name]
        numbers = [group[key][()] for key in ("predicted", "measured", "standard_error", "deviation", "low", "high")]
        yield (name, *numbers, group["verdict"][()].decode())


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python3 read_results.py out.h5")
    with h5py.File(sys.argv[1]) as file:
        if "comparison" not in file:
            sys.exit(f"{sys.argv[1]}: no group `comparison`: not the output of sgflow verify or compare")
        print(f"command   {file.attrs['command']}")
        print(f"verdict   {file['comparison'].attrs['verdict']}")
        print(f"\n{'quantity':<14} {'predicted':>12} {'measured':>12}    {'s.e.':<9} {'deviation':>9}   interval")
        for name, predicted, measured, error, deviation, low, high, verdict in quantities(file["comparison"]):
            print(f"{name:<14} {predicted:12.6g} {measured:12.6g} +- {error:<9.2g} {deviation:+9.2%}   "
                  f"{low:+.2%} ... {high:+.2%}  {verdict}")
        if "simulation/covariance" in file:  # left out for n > 4000 without --full
            predicted, measured = file["theory/covariance"][()], file["simulation/covariance"][()]
            difference = np.linalg.norm(measured - predicted) / np.linalg.norm(predicted)
            if "network/W2" in file:
                print("\n(several layers: the next number has the motion along the minima in it, which the stationary "
                      "theory has not)", end="")
            print(f"\ncovariance, shape {predicted.shape}: |measured - predicted| / |predicted| = {difference:.3g}")


if __name__ == "__main__":
    main()
