"""The stationary covariance as an operator, never formed."""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import _header
from ._library import Array, address, call, fields, library, make, reals
from ._problem import Problem


class CovarianceOperator:
    """Sigma of a problem with any number n of weights, known by what it does (theory/README.md, section 6).

    Built for a minimum of zero slope: no bottleneck, no weight decay; equation "continuum" or "discrete", no reshuffled
    epochs. It is a linear operator to SciPy too: scipy.sparse.linalg.aslinearoperator(operator). w is the unit of
    weights, x that of inputs. Methods raise OutOfMemoryError and NumericalError.

    problem  not needed afterwards
    Raises UnsupportedError where it is not built, UnstableError beyond the stability limit.
    """

    dtype = np.dtype(float)

    def __init__(self, problem: Problem):
        self._handle = make(library.sgf_covariance_operator_create, library.sgf_covariance_operator_free,
                            problem._handle.pointer)
        self._pointer = self._handle.pointer
        self.info: dict[str, Any] = fields(library.sgf_covariance_operator_get_info(self._pointer).contents)
        """path, weights, rank, trace, excess_loss, relaxation_rate, largest_curvature, temperature, ..."""
        n = self.info["weights"]
        self.shape = (n, n)
        self._sizes = [N * M for N, M in zip(problem.widths[1:], problem.widths)]

    @property
    def trace(self) -> float:
        """tr Sigma, w^2."""
        return self.info["trace"]

    def _rows(self, v: Any) -> tuple[Array, bool]:
        vectors = reals("v", v, *([None] * np.ndim(v)))
        single = vectors.ndim == 1
        return reals("v", vectors[np.newaxis] if single else vectors, None, self.shape[0]), single

    def apply(self, v: Any, out: Array | None = None) -> Array:
        """Sigma v, of a vector (n) or of each row of v (count, n). `out`: where to put it, contiguous float64."""
        vectors, single = self._rows(v)
        result = np.empty_like(vectors) if out is None else out
        if result.size != vectors.size or result.dtype != self.dtype or not result.flags.c_contiguous:
            raise ValueError(f"out must be contiguous float64 of shape {np.shape(v)}")
        if not result.flags.writeable or np.shares_memory(result, vectors):
            raise ValueError("out must be writable, and not v")
        call(library.sgf_covariance_operator_apply, self._pointer, len(vectors), address(vectors), address(result))
        return result if out is not None or not single else result[0]

    def matvec(self, v: Any) -> Array:
        """Sigma v of a vector (n) or (n, 1), as SciPy wants it."""
        return self.apply(np.reshape(v, self.shape[0])).reshape(np.shape(v))

    rmatvec = matvec

    def __matmul__(self, v: Any) -> Array:
        """Sigma v of a vector (n), or of the columns of v (n, count)."""
        return self.apply(v) if np.ndim(v) == 1 else self.apply(np.transpose(v)).T

    def _forms(self, function: Any, v: Any) -> Array | float:
        vectors, single = self._rows(v)
        result = np.empty(len(vectors))
        call(function, self._pointer, len(vectors), address(vectors), address(result))
        return float(result[0]) if single else result

    def forms(self, v: Any) -> Array | float:
        """v Sigma v^T, w^2 for unit vectors, of a vector (n) or of each row of v (count, n)."""
        return self._forms(library.sgf_covariance_operator_forms, v)

    def curvatures(self, v: Any) -> Array | float:
        """v H v^T, x^2 for unit vectors, of a vector (n) or of each row of v (count, n)."""
        return self._forms(library.sgf_covariance_operator_curvatures, v)

    def diagonal(self) -> Array:
        """The variance of every weight, (n), w^2."""
        result = np.empty(self.shape[0])
        call(library.sgf_covariance_operator_diagonal, self._pointer, address(result))
        return result

    def rates(self) -> Array:
        """The nonzero eigenvalues (rank) of H, ascending, x^2."""
        result = np.empty(self.info["rank"])
        call(library.sgf_covariance_operator_rates, self._pointer, address(result))
        return result

    def _layer_size(self, layer: int) -> int:
        if not 1 <= layer <= len(self._sizes):
            raise ValueError(f"layer is {layer}: there are layers 1 ... {len(self._sizes)}")
        return self._sizes[layer - 1]

    def block(self, layer: int) -> Array:
        """The covariance of layer 1 ... L, (N_l N_{l-1}, N_l N_{l-1}), w^2."""
        size = self._layer_size(layer)
        result = np.empty((size, size))
        call(library.sgf_covariance_operator_block, self._pointer, layer, address(result))
        return result

    def principal(self, count: int, layer: int = 0) -> tuple[Array, Array, Array, float]:
        """The `count` largest principal variances of all weights (layer 0) or of one layer.

        Returns variance (count), w^2, descending; curvature along them (count), x^2; directions (count, n or
        N_l N_{l-1}), orthonormal; and the largest residual relative to the largest variance.
        """
        size = self.shape[0] if layer == 0 else self._layer_size(layer)
        if not 1 <= count <= size:
            raise ValueError(f"count is {count}: there are {size} directions")
        variance, curvature, directions = np.empty(count), np.empty(count), np.empty((count, size))
        residual = ctypes.c_double()
        call(library.sgf_covariance_operator_principal, self._pointer, layer, count, address(variance),
             address(curvature), address(directions), ctypes.byref(residual))
        return variance, curvature, directions, residual.value

    def layer(self, layer: int, leading: int = 0) -> tuple[Array, Array, dict[str, Any]]:
        """Variances of a layer, descending, w^2, the curvature along their directions, x^2, and how they were found:
        all, or of a very large layer the `leading` ones (0: 200)."""
        size = self._layer_size(layer)
        variance, curvature, found = np.empty(size), np.empty(size), _header.sgf_layer_modes()
        call(library.sgf_covariance_operator_layer, self._pointer, layer, leading, address(variance),
             address(curvature), ctypes.byref(found))
        return variance[:found.modes], curvature[:found.modes], fields(found)

    def sample(self, count: int, seed: int = 1) -> Array:
        """Gaussian deviations theta - theta* of covariance Sigma, (count, n), w; the same seed gives the same ones."""
        result = np.empty((count, self.shape[0]))
        call(library.sgf_covariance_operator_samples, self._pointer, count, seed, address(result))
        return result
