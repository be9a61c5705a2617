#!/usr/bin/env python3
"""Train a linear network by SGD in NumPy and write what `sgflow compare` needs: pytorch_compare.py without PyTorch.

    python3 numpy_compare.py FOLDER [--widths 4,2] [--seed 1] [--perturb 0.05]

Replicas start at one minimum and are trained on minibatches drawn independently with replacement, all at once: weights
W_l are arrays (R, N_l, N_{l-1}). FOLDER receives data.h5 (X, Y and the minimum W1 ... WL), config.yaml and run.h5
(`weights`, shape (R, T, n)). No number of sgflow enters. --perturb spoils the recorded weights by a factor of
1 + PERTURB; the comparison must then say *disagree*.
"""
import argparse
import math
import pathlib

import h5py
import numpy as np

SAMPLES, BATCH_SIZE, LABEL_NOISE = 60, 6, 0.3  # P, S, s
REPLICAS, SNAPSHOTS = 1000, 40  # R, T
# Learning rate times the largest curvature: the theory of several layers is of leading order in it. Times of burn-in and
# of the snapshots are in units of the slowest relaxation time.
SPEED_ONE_LAYER, SPEED, BURN_IN, WINDOW = 0.2, 0.04, 4, 10

CONFIG = """\
data:
  source: file
  file: data.h5
network:
  widths: {widths}
  weights: data.h5
training:
  learning_rate: {learning_rate}
  batch_size: {batch_size}
theory:
  equation: {equation}
verify:
  tolerance: 0.1
"""


def errors(weights, X, Y):
    """Network's output less the target, (..., P, N_L), and what each layer gets as input, (..., P, N_{l-1})."""
    inputs = [X]
    for W in weights:
        inputs.append(inputs[-1] @ np.swapaxes(W, -1, -2))
    return inputs.pop() - Y, inputs


def gradients(weights, X, Y):
    """Of the mean over the batch of |error|^2 / 2, by backpropagation."""
    delta, inputs = errors(weights, X, Y)
    found = []
    for W, entered in zip(reversed(weights), reversed(inputs)):
        found.append(np.swapaxes(delta, -1, -2) @ entered / X.shape[-2])
        delta = delta @ W
    return found[::-1]


def flatten(weights):
    """theta = (vec W_1; ...; vec W_L), stacked rows, of every replica: (R, n)."""
    return np.concatenate([W.reshape(len(W), -1) for W in weights], axis=1)


def descend(weights, X, Y):
    """Full-batch descent with momentum to the minimum."""
    velocities = [np.zeros_like(W) for W in weights]
    for _ in range(100000):
        found = gradients(weights, X, Y)
        if max(np.abs(gradient).max() for gradient in found) < 1e-13:
            return weights
        velocities = [0.9 * velocity - 0.02 * gradient for velocity, gradient in zip(velocities, found)]
        weights = [W + velocity for W, velocity in zip(weights, velocities)]
    raise SystemExit("no minimum: try another --seed")


def curvatures(weights, X, Y):
    """Smallest nonzero and largest eigenvalue of the Hessian, from differences of the gradient: it is a polynomial."""
    columns, step = [], 1e-4
    for l, W in enumerate(weights):
        for place in np.ndindex(W.shape):
            moved = [[V.copy() for V in weights] for _ in range(2)]
            moved[0][l][place] += step
            moved[1][l][place] -= step
            ends = [flatten([gradient[None] for gradient in gradients(one, X, Y)])[0] for one in moved]
            columns.append((ends[0] - ends[1]) / (2 * step))
    h = np.linalg.eigvalsh((np.array(columns) + np.array(columns).T) / 2)
    return h[h > 1e-4 * h[-1]][0], h[-1]


def train(weights, X, Y, learning_rate, burn_in, stride, random):
    """Snapshots (R, T, n) of stationary SGD: one every `stride` steps after `burn_in` steps."""
    weights = [np.tile(W, (REPLICAS, 1, 1)) for W in weights]
    snapshots = []
    for step in range(1, burn_in + stride * SNAPSHOTS + 1):
        batch = random.integers(SAMPLES, size=(REPLICAS, BATCH_SIZE))
        found = gradients(weights, X[batch], Y[batch])
        weights = [W - learning_rate * gradient for W, gradient in zip(weights, found)]
        if step > burn_in and (step - burn_in) % stride == 0:
            snapshots.append(flatten(weights))
    return np.stack(snapshots, axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the three files are written")
    parser.add_argument("--widths", default="4,2", help="N_0,...,N_L")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--perturb", type=float, default=0.0, help="multiply the recorded weights by 1 + PERTURB")
    arguments = parser.parse_args()
    widths = [int(width) for width in arguments.widths.split(",")]
    random = np.random.default_rng(arguments.seed)

    X = random.normal(size=(SAMPLES, widths[0]))
    teacher = random.normal(size=(widths[-1], widths[0])) / math.sqrt(widths[0])
    Y = X @ teacher.T + LABEL_NOISE * random.normal(size=(SAMPLES, widths[-1]))
    start = [random.normal(size=(rows, columns)) / math.sqrt(columns) for rows, columns in zip(widths[1:], widths)]
    minimum = descend(start, X, Y)
    lowest, highest = curvatures(minimum, X, Y)
    exact = len(widths) == 2
    learning_rate = float(f"{(SPEED_ONE_LAYER if exact else SPEED) / highest:.2g}")
    burn_in = math.ceil(BURN_IN / (learning_rate * lowest))
    stride = math.ceil(WINDOW / (learning_rate * lowest) / SNAPSHOTS)
    weights = train(minimum, X, Y, learning_rate, burn_in, stride, random)
    print(f"{REPLICAS} replicas, {burn_in + stride * SNAPSHOTS} steps each, the first {burn_in} burn-in")

    arguments.folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(arguments.folder / "data.h5", "w") as file:
        file["X"], file["Y"] = X, Y
        for l, W in enumerate(minimum, start=1):
            file[f"W{l}"] = W
    with h5py.File(arguments.folder / "run.h5", "w") as file:
        file["weights"] = weights * (1 + arguments.perturb)
        file["weights"].attrs["stride"] = stride  # steps between snapshots
    (arguments.folder / "config.yaml").write_text(CONFIG.format(
        widths=widths, learning_rate=learning_rate, batch_size=BATCH_SIZE, equation="exact" if exact else "discrete"))
    print(f"Now run: sgflow compare {arguments.folder}/config.yaml --trajectory {arguments.folder}/run.h5")


if __name__ == "__main__":
    main()
