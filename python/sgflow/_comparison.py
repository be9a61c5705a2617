"""Measured moments, and their comparison with a prediction."""
from __future__ import annotations

import os
from ctypes import byref, c_size_t
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _header
from ._library import Array, Handle, address, call, fields, library, numbers

if TYPE_CHECKING:
    from ._prediction import Prediction
    from ._problem import Problem


class Plan(NamedTuple):
    """How a simulation is run. `plan._replace(replicas=100)` changes one thing."""

    replicas: int
    burn_in_steps: int
    """steps from theta* before the window"""
    window_steps: int
    """a multiple of stride"""
    stride: int
    """a snapshot enters the moments every so many steps of the window"""
    looks: int
    """0 or 1: one comparison; more: the ensemble may double from each comparison to the next"""
    look: int
    centred: bool
    """moments about the mean of each window, not about theta*: protocol window-pca"""
    replicas_chosen: bool
    burn_in_chosen: bool
    window_chosen: bool
    relaxed: float
    """what the slowest mode remembers at the end"""
    lifetime: float
    """burn-in and window over the lifetime of the quasi-stationary state; 0 for one layer"""

    @classmethod
    def from_struct(cls, struct: _header.sgf_plan) -> Plan:
        return cls(**fields(struct))

    def to_struct(self) -> _header.sgf_plan:
        return _header.sgf_plan(*self)


class Quantity(NamedTuple):
    """One quantity of a comparison."""

    name: str
    """that of its group below `comparison/` in an output file"""
    predicted: float
    measured: float
    standard_error: float
    """of measured"""
    deviation: float
    """of measured from predicted, relative"""
    low: float
    """confidence interval of the deviation, corrected for the number of quantities"""
    high: float
    replicas_needed: float
    """replicas that would decide it; 0 when decided"""
    verdict: str
    """"agree", "disagree" or "inconclusive" """


class Ensemble:
    """Moments of the weights over replicas, simulated or recorded. Made by `Problem.simulate` or `read_trajectory`.

    On directions, m is their number and everything is in these; else m is the number n of weights. w is their unit.
    """

    def __init__(self, handle: Handle, size: int, threads: int = 1):
        self._handle, self._size, self.threads = handle, size, threads
        self._moments: tuple[Array, Array, Array] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """replicas, steps (replica-steps), seconds, trace and trace_se (w^2), plan, recorded, ..."""
        return fields(library.sgf_ensemble_get_info(self._handle.pointer).contents)

    @property
    def trace(self) -> float:
        """tr of the second moment about theta*, w^2."""
        return self.info["trace"]

    def moments(self) -> tuple[Array, Array, Array]:
        """`covariance`, `standard_error` and `mean`, made once, at the first request."""
        if self._moments is None:
            m = self._size
            covariance, error, mean = np.empty((m, m)), np.empty((m, m)), np.empty(m)
            call(library.sgf_ensemble_moments, self._handle.pointer, address(covariance), address(error), address(mean))
            self._moments = covariance, error, mean
        return self._moments

    @property
    def covariance(self) -> Array:
        """Second moment about theta* (protocol window-pca: about the windows' means), (m, m), w^2."""
        return self.moments()[0]

    @property
    def standard_error(self) -> Array:
        """Of each element of `covariance` over replicas, (m, m), w^2; NaN with one replica."""
        return self.moments()[1]

    @property
    def mean(self) -> Array:
        """Mean of theta - theta*, (m), w."""
        return self.moments()[2]


class Comparison:
    """A prediction and an ensemble, compared. Made by `Problem.compare` and `Problem.verify`; a table when printed."""

    def __init__(self, handle: Handle, problem: Problem, prediction: Prediction, ensemble: Ensemble):
        self._handle, self.problem, self.prediction, self.ensemble = handle, problem, prediction, ensemble
        self.numbers: dict[str, float | int] = numbers(library.sgf_comparison_numbers, handle.pointer)
        """The attributes of `comparison` in an output file."""
        info = fields(library.sgf_comparison_get_info(handle.pointer).contents)
        self.info: dict[str, Any] = info
        """All that sgf_comparison_info of sgflow.h has."""
        self.verdict: str = info["verdict"]
        """"agree", "disagree" or "inconclusive" """
        table = library.sgf_comparison_quantities(handle.pointer)
        self.quantities: list[Quantity] = [Quantity(**fields(table[k])) for k in range(info["quantities"])]
        """In the order of the report."""
        count = c_size_t()
        left = library.sgf_comparison_untested(handle.pointer, byref(count))
        self.untested: list[Quantity] = [Quantity(**fields(left[k])) for k in range(count.value)]
        """What the replicas cannot tell: in no verdict, with low and high NaN; replicas_needed of them would."""
        slow = (library.sgf_comparison_get_mode(handle.pointer, k) for k in range(_header.SGF_SLOW_MODES))
        self.modes: list[dict[str, float | int]] = [numbers(library.sgf_mode_numbers, mode) for mode in slow if mode]
        """Diagnostics of the slowest modes that were followed: rate, r_hat, ess_bulk, correlation_time, ..."""

    def __getitem__(self, name: str) -> Quantity:
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(name)

    def __str__(self) -> str:
        lines = [f"{'quantity':<27} {'predicted':>12} {'measured':>12} {'s.e.':>9} {'deviation':>10}  verdict"]
        lines += [f"{q.name:<27} {q.predicted:12.6g} {q.measured:12.6g} {q.standard_error:9.2g} {q.deviation:+10.2%}  "
                  f"{q.verdict}" for q in self.quantities]
        return "\n".join(lines + [f"verdict: {self.verdict}"])

    def write(self, path: str | os.PathLike[str], full: bool = False) -> None:
        """Write an output file like that of `sgflow verify`, HDF5, beside `path` and renamed when complete.

        full  write the n x n sets beyond 4000 weights too
        Raises FileError; an older file is then intact.
        """
        self.problem._write(path, self.prediction, self.ensemble, self._handle, full)

    def write_report(self, path: str | os.PathLike[str]) -> bool:
        """Write the self-contained HTML report in the same way. Returns whether it has figures: not without gnuplot."""
        return self.problem._write_report(path, self.prediction, self.ensemble, self._handle)
