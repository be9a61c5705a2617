#!/usr/bin/env python3
"""Plot what `sgflow verify CONFIG -o out.h5` (or `sgflow compare ... -o out.h5`) found, with h5py and matplotlib.

    python3 plot_results.py out.h5 figure.png

Left: variance of the weights along the principal directions of each layer against the flatness of the loss there, by
theory, with the exponent psi of variance ~ flatness^-psi. Right: measured over predicted variance of each direction,
with two standard errors.
"""
import sys

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def layers(file):
    """Name and group of every layer."""
    return [(name, file["theory"][name]) for name in sorted(file["theory"]) if name.startswith("layer")]


def plot_flatness(axes, file):
    for name, layer in layers(file):
        variance, flatness = layer["variance"][()], layer["flatness"][()]
        there = (variance > 0) & (flatness > 0)
        axes.loglog(flatness[there], variance[there], "o", fillstyle="none",
                    label=f"{name}, psi = {layer.attrs['ivfr_psi']:.2f}")
    axes.set(xlabel="flatness (w)", ylabel="variance (w²)", title="theory")
    axes.legend()


def plot_ratio(axes, file):
    for name, group in file["variances"].items():
        predicted, measured, error = (group[key][()] for key in ("predicted", "measured", "standard_error"))
        there = predicted > 0
        axes.errorbar(group["curvature"][()][there], measured[there] / predicted[there],
                      yerr=2 * error[there] / predicted[there], fmt=".", label=name)
    axes.axhline(1, color="black", linewidth=0.5)
    axes.set(xscale="log", xlabel="curvature (1 / continuum time)", ylabel="variance, measured / predicted",
             title=f"SGD: {file['comparison'].attrs['verdict']}")
    axes.legend()


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python3 plot_results.py out.h5 figure.png")
    with h5py.File(sys.argv[1]) as file:
        if "comparison" not in file or "variances" not in file:
            sys.exit(f"{sys.argv[1]}: no comparison of variances: not the output of sgflow verify or compare")
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
        plot_flatness(left, file)
        plot_ratio(right, file)
        figure.savefig(sys.argv[2], dpi=150)
    print(f"figure    {sys.argv[2]}")


if __name__ == "__main__":
    main()
