"""What the theory says of a problem."""
from __future__ import annotations

import ctypes
from typing import Any

from . import _header
from ._library import Array, Handle, fields, library, numbers, view


# Of a single weight these are matrices too.
_SQUARE = ("hessian", "noise_covariance", "covariance", "directions", "balance", "diffusion")


def _is_square(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith(_SQUARE) and last != "covariance_diagonal" and not name.startswith("spectrum/")


def _array(handle: Handle, name: str) -> Array:
    """An array of a prediction by its name below `theory/`."""
    rows, columns = ctypes.c_size_t(), ctypes.c_size_t()
    pointer = library.sgf_prediction_array(handle.pointer, name.encode(), ctypes.byref(rows), ctypes.byref(columns))
    if not pointer:
        raise KeyError(f"the prediction has no array {name!r}")
    vector = columns.value == 1 and not (rows.value == 1 and _is_square(name))
    return view(pointer, (rows.value,) if vector else (rows.value, columns.value), handle)


class Layer:
    """What is predicted of one layer; the layer's weights are row-major, N_l N_{l-1} of them."""

    def __init__(self, handle: Handle, layer: int):
        self._handle, self.layer = handle, layer
        self.numbers: dict[str, float | int] = numbers(library.sgf_layer_numbers, handle.pointer, layer)
        """The attributes of `theory/layerN` in an output file: trace, ivfr_psi, rank_hessian, ..."""

    def array(self, name: str) -> Array:
        """An array by its name below `theory/layerN/`, such as "covariance_uncoupled"."""
        return _array(self._handle, f"layer{self.layer}/{name}")

    @property
    def variance(self) -> Array:
        """Principal variances, w^2, coupled, in the order of `curvature` and `flatness`."""
        return self.array("variance")

    @property
    def curvature(self) -> Array:
        """Curvature of the loss along the principal directions, 1 / continuum time."""
        return self.array("curvature")

    @property
    def flatness(self) -> Array:
        """Flatness along the principal directions, w: the distance between the points with L = flatness_factor L*."""
        return self.array("flatness")

    @property
    def psi(self) -> float:
        """Exponent of the inverse variance-flatness relation, variance ~ flatness^-psi, coupled."""
        return self.numbers["ivfr_psi"]


class Prediction:
    """The stationary fluctuations of the weights. Made by `Problem.predict`.

    Arrays are read-only and in the library's own memory, without a copy; they keep it alive.
    """

    def __init__(self, handle: Handle, layers: int):
        self._handle = handle
        self.numbers: dict[str, float | int] = numbers(library.sgf_prediction_numbers, handle.pointer)
        """The attributes of `theory` in an output file: trace, excess_loss, rank_hessian, stability_limit, ..."""
        self.layers = [Layer(handle, layer) for layer in range(1, layers + 1)]
        """Layers 1 ... L; layers[0] is layer 1."""

    @property
    def info(self) -> dict[str, Any]:
        """All that sgf_prediction_info of sgflow.h has, nested as there: `info["noise_balance"]["rate"]`."""
        return fields(library.sgf_prediction_get_info(self._handle.pointer).contents)

    def array(self, name: str) -> Array:
        """An array by its name below `theory/` in an output file: "hessian", "layer1/variance", ...

        KeyError if there is none.
        """
        return _array(self._handle, name)

    @property
    def covariance(self) -> Array:
        """Sigma (n, n), w^2, by the configured equation. KeyError beyond 4000 weights: see `CovarianceOperator`."""
        return self.array("covariance")

    @property
    def hessian(self) -> Array:
        """H (n, n), the drift, 1 / continuum time."""
        return self.array("hessian")

    @property
    def noise_covariance(self) -> Array:
        """C (n, n), per-sample covariance of the gradient; the diffusion matrix is lambda noise_strength C / 2."""
        return self.array("noise_covariance")

    @property
    def trace(self) -> float:
        """tr Sigma, w^2."""
        return self.numbers["trace"]

    @property
    def excess_loss(self) -> float:
        """tr(H Sigma) / 2: by how much fluctuations raise the loss."""
        return self.numbers["excess_loss"]

    @property
    def learning_rate_limit(self) -> float:
        """The learning rate from which on there is no stationary state."""
        return library.sgf_learning_rate_limit(self._handle.pointer)

    def rotation(self, hidden: int) -> dict[str, float | int]:
        """How hidden layer 1 ... L - 1 turns (theory/README.md, section 14): attributes of `theory/rotation/layerN`."""
        return numbers(library.sgf_rotation_numbers, self._handle.pointer, hidden)

    @property
    def directions(self) -> Array | None:
        """Of a prediction on directions: these, (count, n), orthonormal. Else None."""
        count = ctypes.c_size_t()
        pointer = library.sgf_prediction_directions(self._handle.pointer, ctypes.byref(count))
        if count.value == 0:
            return None
        return view(pointer, (count.value, self.info["weights"]), self._handle)
