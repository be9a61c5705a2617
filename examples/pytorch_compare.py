#!/usr/bin/env python3
"""Train a linear layer by PyTorch's own SGD and write what `sgflow compare` needs.

    python3 pytorch_compare.py FOLDER [--seed 1] [--perturb 0.05]

R replicas of torch.nn.Linear(N_0, N_L, bias=False) start at the least-squares minimum and are trained by
torch.optim.SGD on minibatches drawn independently with replacement. FOLDER receives data.h5 (X, Y), config.yaml and
run.h5 (`weights`, shape (R, T, n)). No number of sgflow enters: data, minimum and weights are all made here.
--perturb spoils the recorded weights by a factor of 1 + PERTURB; the comparison must then say *disagree*.
"""
import argparse
import pathlib
import shlex
import time

import h5py
import numpy as np
import torch

INPUTS, OUTPUTS, SAMPLES = 6, 2, 60  # N_0, N_L, P
LEARNING_RATE, BATCH_SIZE = 0.1, 5  # lambda, S
REPLICAS, BURN_IN, STRIDE, SNAPSHOTS = 300, 600, 10, 600  # R, steps, steps from one snapshot to the next, T

CONFIG = f"""\
data:
  source: file
  file: data.h5
network:
  widths: [{INPUTS}, {OUTPUTS}]
training:
  learning_rate: {LEARNING_RATE}
  batch_size: {BATCH_SIZE}
  sampling: replacement
theory:
  equation: exact
verify:
  tolerance: 0.05
  level: 0.001
"""


def make_data(generator):
    """X (P, N_0) and Y (P, N_L): a linear teacher and noise, one sample a row."""
    X = torch.randn(SAMPLES, INPUTS, generator=generator, dtype=torch.float64)
    teacher = torch.randn(OUTPUTS, INPUTS, generator=generator, dtype=torch.float64) / INPUTS**0.5
    noise = torch.randn(SAMPLES, OUTPUTS, generator=generator, dtype=torch.float64)
    return X, X @ teacher.T + 0.5 * noise


def half_mean_square(predicted, target):
    """sgflow's loss, mean over the batch of |error|^2 / 2: half of MSELoss(reduction="sum") over the batch size."""
    return ((predicted - target) ** 2).sum(dim=(-2, -1)) / (2 * target.shape[-2])


def batched_step(weights, optimizer, X, Y, batch):
    """One step of every replica: weights (R, N_L, N_0), batch (R, S). Replicas do not share a weight, so the gradient
    of the sum of their losses is each one's own."""
    optimizer.zero_grad()
    predicted = torch.bmm(X[batch], weights.transpose(1, 2))  # (R, S, N_L)
    half_mean_square(predicted, Y[batch]).sum().backward()
    optimizer.step()


def check_one_step(X, Y, minimum, generator):
    """A step of the batched replicas is a step of torch.nn.Linear, and a row of `weights` is parameters_to_vector."""
    batch = torch.randint(SAMPLES, (3, BATCH_SIZE), generator=generator)
    weights = minimum.repeat(3, 1, 1).requires_grad_()
    batched_step(weights, torch.optim.SGD([weights], lr=LEARNING_RATE), X, Y, batch)
    for r in range(3):
        layer = torch.nn.Linear(INPUTS, OUTPUTS, bias=False, dtype=torch.float64)
        layer.load_state_dict({"weight": minimum})  # copies; vector_to_parameters would share memory with `minimum`
        optimizer = torch.optim.SGD(layer.parameters(), lr=LEARNING_RATE)
        half_mean_square(layer(X[batch[r]]), Y[batch[r]]).backward()
        optimizer.step()
        vector = torch.nn.utils.parameters_to_vector(layer.parameters())
        assert torch.allclose(vector, weights[r].reshape(-1), rtol=0, atol=1e-14)


def train(X, Y, minimum, generator):
    """Snapshots (R, T, n) of stationary SGD."""
    weights = minimum.repeat(REPLICAS, 1, 1).requires_grad_()
    optimizer = torch.optim.SGD([weights], lr=LEARNING_RATE)
    recorded = np.empty((REPLICAS, SNAPSHOTS, OUTPUTS * INPUTS))
    for step in range(1, BURN_IN + STRIDE * SNAPSHOTS + 1):
        batch = torch.randint(SAMPLES, (REPLICAS, BATCH_SIZE), generator=generator)
        batched_step(weights, optimizer, X, Y, batch)
        if step > BURN_IN and (step - BURN_IN) % STRIDE == 0:
            recorded[:, (step - BURN_IN) // STRIDE - 1] = weights.detach().reshape(REPLICAS, -1).numpy()
    return recorded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the three files are written")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--perturb", type=float, default=0.0, help="multiply the recorded weights by 1 + PERTURB")
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(arguments.seed)

    X, Y = make_data(generator)
    minimum = torch.linalg.lstsq(X, Y).solution.T.contiguous()  # (N_L, N_0), the shape of layer.weight
    check_one_step(X, Y, minimum, generator)
    began = time.monotonic()
    weights = train(X, Y, minimum, generator) * (1 + arguments.perturb)
    print(f"{REPLICAS} replicas, {BURN_IN + STRIDE * SNAPSHOTS} steps each: {time.monotonic() - began:.1f} s")

    arguments.folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(arguments.folder / "data.h5", "w") as file:
        file["X"], file["Y"] = X.numpy(), Y.numpy()
    with h5py.File(arguments.folder / "run.h5", "w") as file:
        file["weights"] = weights
    (arguments.folder / "config.yaml").write_text(CONFIG)

    config, run, out = (shlex.quote(str(arguments.folder / name)) for name in ("config.yaml", "run.h5", "out.h5"))
    print("Now run:")
    print(f"  sgflow predict {config}")
    print(f"  sgflow compare {config} --trajectory {run} -o {out}")


if __name__ == "__main__":
    main()
