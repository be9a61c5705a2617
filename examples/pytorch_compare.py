#!/usr/bin/env python3
"""Train a linear network by PyTorch's own SGD and write what `sgflow compare` needs.

    python3 pytorch_compare.py FOLDER [--widths 6,2] [--momentum 0.9] [--seed 1] [--perturb 0.05] [--replicas 4000]

R replicas of a torch.nn.Sequential of torch.nn.Linear(N_l-1, N_l, bias=False) start at one minimum and are trained by
torch.optim.SGD on minibatches drawn independently with replacement. The minimum is where full-batch descent from a
random start ends. FOLDER receives data.h5 (X, Y and the minimum W1 ... WL), config.yaml and run.h5 (`weights`, shape
(R, T, n)). No number of sgflow enters: data, minimum and weights are all made here.
--perturb spoils the recorded weights by a factor of 1 + PERTURB; the comparison must then say *disagree*.
"""
import argparse
import math
import pathlib
import shlex
import sys
import time

try:
    import h5py
    import numpy as np
    import torch
    from torch.nn.utils import parameters_to_vector
except ImportError as error:
    sys.exit(f"pytorch_compare.py: {error.name} is missing (Debian: python3-torch, python3-h5py); numpy_compare.py does "
             "without PyTorch")

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # the tensors are small

SAMPLES, BATCH_SIZE, LABEL_NOISE = 100, 10, 0.3  # P, S, s
REPLICA_STEPS, MOST_REPLICAS, SNAPSHOTS = 1.4e7, 4000, 50  # R times steps, and so less than a minute; most R; T
# Learning rate (over 1 - momentum) times the largest curvature. One layer has an exact equation and may be fast; the
# theory of several, or with momentum, is the leading order in the learning rate, and off by about a fifth of this number.
SPEED_ONE_LAYER, SPEED = 0.2, 0.04
# Both in units of the slowest relaxation time. `compare` takes all snapshots as stationary: the slowest mode must have
# relaxed in the burn-in, and along the null space of several layers the weights must not have moved far at the end.
BURN_IN, WINDOW = 4, 10
GRADIENT = 1e-13  # of the full-batch loss, at the minimum

# Several layers, or momentum: `discrete`, for nothing built is exact in the learning rate; the tolerance leaves room for what is
# neglected. The weights are a minimum already, so that `relax` leaves them where they are.
CONFIG = """\
data:
  source: file
  file: data.h5
network:
  widths: {widths}
  weights: data.h5
  relax: true
training:
  learning_rate: {learning_rate}
  batch_size: {batch_size}
  sampling: replacement
  momentum: {momentum}
theory:
  equation: {equation}
verify:
  tolerance: 0.05
  level: 0.001
"""


def make_model(widths, generator):
    """torch.nn.Sequential of linear layers, each a random (semi-)orthogonal matrix."""
    layers = [torch.nn.Linear(fan_in, fan_out, bias=False) for fan_in, fan_out in zip(widths, widths[1:])]
    with torch.no_grad():
        for layer in layers:
            tall = torch.randn(max(layer.weight.shape), min(layer.weight.shape), generator=generator)
            Q = torch.linalg.qr(tall).Q
            layer.weight.copy_(Q if Q.shape == layer.weight.shape else Q.T)
    return torch.nn.Sequential(*layers)


def make_data(widths, generator):
    """X (P, N_0) and Y (P, N_L): a teacher of the same widths, and noise, one sample a row."""
    X = torch.randn(SAMPLES, widths[0], generator=generator)
    noise = torch.randn(SAMPLES, widths[-1], generator=generator)
    return X, make_model(widths, generator)(X).detach() + LABEL_NOISE * noise


def half_mean_square(predicted, target):
    """sgflow's loss, mean over the batch of |error|^2 / 2: half of MSELoss(reduction="sum") over the batch size."""
    return ((predicted - target) ** 2).sum(dim=(-2, -1)) / (2 * target.shape[-2])


def descend(model, X, Y):
    """Full-batch descent to the minimum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for step in range(20000):
        optimizer.zero_grad()
        half_mean_square(model(X), Y).backward()
        gradient = parameters_to_vector([weight.grad for weight in model.parameters()]).norm().item()
        if gradient <= GRADIENT:
            return step, gradient
        if not math.isfinite(gradient):
            break
        optimizer.step()
    raise SystemExit(f"no minimum after {step + 1} steps, |gradient| = {gradient:.2g}: try another --seed")


def curvatures(model, X, Y):
    """Smallest nonzero and largest eigenvalue of the Hessian, by autograd."""
    shapes = [weight.shape for weight in model.parameters()]

    def loss(vector):
        predicted = X
        for weight, shape in zip(vector.split([shape.numel() for shape in shapes]), shapes):
            predicted = predicted @ weight.view(shape).T
        return half_mean_square(predicted, Y)

    hessian = torch.autograd.functional.hessian(loss, parameters_to_vector(model.parameters()).detach())
    h = torch.linalg.eigvalsh(hessian)
    return h[h > 1e-8 * h[-1]][0].item(), h[-1].item()


def batched_step(weights, optimizer, X, Y, batch):
    """One step of every replica: weights[l] (R, N_l+1, N_l), batch (R, S). Replicas do not share a weight, so the
    gradient of the sum of their losses is each one's own."""
    optimizer.zero_grad()
    predicted = X[batch]  # (R, S, N_0)
    for weight in weights:
        predicted = torch.bmm(predicted, weight.transpose(1, 2))  # (R, S, N_l+1)
    half_mean_square(predicted, Y[batch]).sum().backward()
    optimizer.step()


def replicate(model, replicas, learning_rate, momentum):
    weights = [weight.detach().repeat(replicas, 1, 1).requires_grad_() for weight in model.parameters()]
    return weights, torch.optim.SGD(weights, lr=learning_rate, momentum=momentum)


def flatten(weights):
    """(R, n), each row in the order of parameters_to_vector."""
    return torch.cat([weight.detach().flatten(start_dim=1) for weight in weights], dim=1)


def check_steps(model, X, Y, learning_rate, momentum, generator, replicas=3, steps=100):
    """The batched replicas are torch.nn.Sequential, trained one by one. Returns the largest difference."""
    batches = torch.randint(SAMPLES, (steps, replicas, BATCH_SIZE), generator=generator)
    weights, optimizer = replicate(model, replicas, learning_rate, momentum)
    for batch in batches:
        batched_step(weights, optimizer, X, Y, batch)
    difference = 0.0
    for r, row in enumerate(flatten(weights)):
        plain = torch.nn.Sequential(*[torch.nn.Linear(*layer.weight.shape[::-1], bias=False) for layer in model])
        plain.load_state_dict(model.state_dict())  # copies
        optimizer = torch.optim.SGD(plain.parameters(), lr=learning_rate, momentum=momentum)
        for batch in batches[:, r]:
            optimizer.zero_grad()
            half_mean_square(plain(X[batch]), Y[batch]).backward()
            optimizer.step()
        difference = max(difference, (parameters_to_vector(plain.parameters()) - row).abs().max().item())
    assert difference < 1e-12, difference
    return difference


def train(model, X, Y, learning_rate, momentum, replicas, burn_in, stride, generator):
    """Snapshots (R, T, n) of stationary SGD: one every `stride` steps after `burn_in` steps."""
    weights, optimizer = replicate(model, replicas, learning_rate, momentum)
    recorded = np.empty((replicas, SNAPSHOTS, sum(weight[0].numel() for weight in weights)))
    for step in range(1, burn_in + stride * SNAPSHOTS + 1):
        batch = torch.randint(SAMPLES, (replicas, BATCH_SIZE), generator=generator)
        batched_step(weights, optimizer, X, Y, batch)
        if step > burn_in and (step - burn_in) % stride == 0:
            recorded[:, (step - burn_in) // stride - 1] = flatten(weights).numpy()
    return recorded


def parse_widths(text):
    widths = [int(width) if width.isdecimal() else 0 for width in text.split(",")]
    if len(widths) < 2 or min(widths) < 1:
        raise argparse.ArgumentTypeError("two or more whole numbers, N_0,...,N_L, are expected")
    return widths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the three files are written")
    parser.add_argument("--widths", type=parse_widths, default=[6, 2], help="N_0,...,N_L, such as 4,5,3 for two layers")
    parser.add_argument("--momentum", type=float, default=0.0, help="of torch.optim.SGD, at least 0 and below 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicas", type=int, default=MOST_REPLICAS, help="at most so many")
    parser.add_argument("--perturb", type=float, default=0.0, help="multiply the recorded weights by 1 + PERTURB")
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(arguments.seed)
    momentum, slower = arguments.momentum, 1 - arguments.momentum
    if not 0 <= momentum < 1:
        parser.error("--momentum must be at least 0 and below 1")
    exact = len(arguments.widths) == 2 and momentum == 0

    X, Y = make_data(arguments.widths, generator)
    model = make_model(arguments.widths, generator)
    descent, gradient = descend(model, X, Y)
    lowest, highest = curvatures(model, X, Y)
    # with momentum everything is as with a learning rate of learning_rate / (1 - momentum), to leading order
    learning_rate = float(f"{(SPEED_ONE_LAYER if exact else SPEED) * slower / highest:.2g}")
    burn_in = math.ceil(BURN_IN * slower / (learning_rate * lowest))
    stride = math.ceil(WINDOW * slower / (learning_rate * lowest) / SNAPSHOTS)
    steps = burn_in + stride * SNAPSHOTS
    replicas = min(arguments.replicas, math.ceil(REPLICA_STEPS / steps))
    print(f"minimum after {descent} steps, |gradient| = {gradient:.2g}, curvature {lowest:.3g} ... {highest:.3g}")
    difference = check_steps(model, X, Y, learning_rate, momentum, generator)
    print(f"batched replicas and torch.nn.Sequential differ by {difference:.2g} after 100 steps")
    began = time.monotonic()
    weights = train(model, X, Y, learning_rate, momentum, replicas, burn_in, stride, generator) * (1 + arguments.perturb)
    print(f"{replicas} replicas, {steps} steps each (time {learning_rate * steps:.3g}, the first {burn_in} burn-in): "
          f"{time.monotonic() - began:.1f} s")

    arguments.folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(arguments.folder / "data.h5", "w") as file:
        file["X"], file["Y"] = X.numpy(), Y.numpy()
        for l, layer in enumerate(model, start=1):
            file[f"W{l}"] = layer.weight.detach().numpy()
    with h5py.File(arguments.folder / "run.h5", "w") as file:
        file["weights"] = weights
        file["weights"].attrs["stride"] = stride  # steps between snapshots
    (arguments.folder / "config.yaml").write_text(CONFIG.format(
        widths=arguments.widths, learning_rate=learning_rate, batch_size=BATCH_SIZE, momentum=momentum,
        equation="exact" if exact else "discrete"))

    config, run, out = (shlex.quote(str(arguments.folder / name)) for name in ("config.yaml", "run.h5", "out.h5"))
    print("Now run:")
    print(f"  sgflow predict {config}")
    print(f"  sgflow compare {config} --trajectory {run} -o {out}")


if __name__ == "__main__":
    main()
