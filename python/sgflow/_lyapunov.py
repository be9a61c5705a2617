"""Lyapunov and Stein equations with drifts that may be singular."""
from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np

from . import _header
from ._errors import SettingError
from ._library import Array, Handle, address, choice, fields, library, raise_error, reals, view


class Certificate(NamedTuple):
    """What is known of a solution, or of a system that was refused; NaN where nothing is."""

    size: int
    """n"""
    rank: int
    """of A; discrete: of 1 - A"""
    gap: float
    """smallest singular value kept over the largest dropped, or over round-off"""
    ambiguous: bool
    """the gap is below 1e3"""
    null_noise: float
    """noise where the drift vanishes, relative to ||Q||"""
    residual: float
    """||A X + X A^T - Q|| / (2 ||A|| ||X|| + ||Q||), recomputed from the input; discrete likewise"""
    separation: float
    """least ||A Y + Y A^T|| / ||Y|| over symmetric Y on the range"""
    error_bound: float
    """of ||X - exact|| / ||X||, data rounded to their last digit included; 1 and more: no digit is certain"""
    real: float
    """real and imaginary part of the eigenvalue of A that is nearest to instability, null ones aside"""
    imaginary: float
    refined: bool
    """a step of iterative refinement was worth it"""
    method: str
    """the one used"""


def _certificate(struct: _header.sgf_certificate) -> Certificate:
    return Certificate(**fields(struct))


class _Options:
    """The C options, with the arrays that they point to."""

    def __init__(self, n: int, discrete: bool, method: str, rank_tolerance: float | None, initial: Any, memory: float):
        self.struct = _header.sgf_lyapunov_options()
        library.sgf_lyapunov_options_init(ctypes.byref(self.struct))
        self.initial = None if initial is None else reals("initial", initial, n, n)
        self.struct.discrete = discrete
        self.struct.method = choice("method", "sgf_method", method)
        if rank_tolerance is not None:
            self.struct.rank_tolerance = rank_tolerance
        self.struct.initial = address(self.initial)
        self.struct.memory = memory


class _Sparse:
    """A SciPy sparse matrix as columns; arrays that have the right types are not copied."""

    def __init__(self, A: Any):
        columns = A.tocsc()
        if not columns.has_canonical_format:
            columns = columns.copy()  # A may be the caller's own
            columns.sum_duplicates()
        if columns.shape[0] != columns.shape[1]:
            raise SettingError(f"A has shape {columns.shape}, a square matrix is wanted")
        if np.iscomplexobj(columns.data):
            raise SettingError("A is complex")
        self.arrays = (np.ascontiguousarray(columns.indptr, dtype=np.int64),
                       np.ascontiguousarray(columns.indices, dtype=np.int64),
                       np.ascontiguousarray(columns.data, dtype=np.float64))
        whole = ctypes.POINTER(ctypes.c_int64)
        self.struct = _header.sgf_sparse(*columns.shape, self.arrays[0].ctypes.data_as(whole),
                                         self.arrays[1].ctypes.data_as(whole), address(self.arrays[2]))


def _is_sparse(A: Any) -> bool:
    return hasattr(A, "tocsc")


def _noise(n: int, Q: Any, B: Any) -> tuple[int, Array]:
    """Columns of the factor, 0 for Q itself, and the array."""
    if (Q is None) == (B is None):
        raise SettingError("one of Q and its factor B is wanted, Q = B B^T")
    if B is None:
        return 0, reals("Q", Q, n, n)
    factor = reals("B", B, n, None)
    if factor.shape[1] == 0:
        raise SettingError("B has no columns")
    return factor.shape[1], factor


def lyapunov(A: Any, Q: Any = None, *, B: Any = None, discrete: bool = False, method: str = "auto",
             rank_tolerance: float | None = None, initial: Any = None,
             memory: float = 0.0) -> tuple[Array, Certificate]:
    """Solve A X + X A^T = Q, the stationary covariance X of dx = -A x dt + noise of covariance Q dt.

    A may be singular: noise must then leave alone what does not relax, and X is the solution of least Frobenius norm,
    or the one that `initial` leads to. Every other eigenvalue of A must have a positive real part.

    A               (n, n), units 1 / time; an array, a torch.Tensor or a SciPy sparse matrix
    Q               (n, n) symmetric, units x^2 / time
    B               (n, m) instead of it, Q = B B^T
    discrete        solve X - A X A^T = Q, of x' = A x + noise, instead: eigenvalues within the unit circle, or 1
    method          "auto", "symmetric", "schur"; of a sparse A also "kronecker", "low-rank"
    rank_tolerance  singular values of A (discrete: of 1 - A) up to this, relative to the largest, are 0. None: those at
                    round-off are, and AmbiguousError is raised where the gap is below 1e3
    initial         (n, n), the covariance at the start
    memory          bytes that may be used; 0: three quarters of the machine's
    Returns X (n, n), symmetric to the last bit, units x^2, and its certificate.
    Raises UnstableError, IncompatibleError, AmbiguousError, NumericalError: `certificate` of the exception has what was
    found; SettingError, UnsupportedError, OutOfMemoryError.
    """
    sparse = _Sparse(A) if _is_sparse(A) else None
    drift = reals("A", A, None, None) if sparse is None else None
    n = sparse.struct.rows if drift is None else len(drift)  # type: ignore[union-attr]
    if drift is not None and drift.shape != (n, n):
        raise SettingError(f"A has shape {drift.shape}, a square matrix is wanted")
    columns, noise = _noise(n, Q, B)
    options = _Options(n, discrete, method, rank_tolerance, initial, memory)
    X, certificate, error = np.empty((n, n)), _header.sgf_certificate(), _header.sgf_error()
    function = library.sgf_lyapunov_solve if sparse is None else library.sgf_lyapunov_solve_sparse
    system = (n, address(drift)) if sparse is None else (ctypes.byref(sparse.struct),)
    if function(*system, columns, address(noise), ctypes.byref(options.struct), address(X), ctypes.byref(certificate),
                ctypes.byref(error)) != 0:
        raise_error(error, certificate=_certificate(certificate))
    return X, _certificate(certificate)


def lyapunov_many(A: Any, Q: Any, *, discrete: bool = False, method: str = "auto",
                  rank_tolerance: float | None = None, threads: int = 0) -> tuple[Array, list[Certificate]]:
    """Solve many dense equations of one size, in parallel. The result has the same bits for any number of threads; the
    last bits of one system's solution may depend on which systems are solved beside it.

    A, Q     (count, n, n), units as for `lyapunov`
    threads  0: all
    Returns X (count, n, n) and the certificates. Raises what the first equation that fails would raise, after all were
    tried: `X` of the exception has the solutions of the others and NaN where there is none, `certificate` those of all.
    """
    if threads < 0:
        raise SettingError(f"threads is {threads}: it must be 0, for all, or more")
    drifts = reals("A", A, None, None, None)
    count, n, _ = drifts.shape
    drifts = reals("A", drifts, count, n, n)
    noise = reals("Q", Q, count, n, n)
    options = _Options(n, discrete, method, rank_tolerance, None, 0.0)
    X, certificates, error = np.empty((count, n, n)), (_header.sgf_certificate * count)(), _header.sgf_error()
    if library.sgf_lyapunov_solve_many(count, n, address(drifts), address(noise), ctypes.byref(options.struct), threads,
                                       address(X), certificates, None, ctypes.byref(error)) != 0:
        raise_error(error, certificate=[_certificate(one) for one in certificates], X=X)
    return X, [_certificate(one) for one in certificates]


def lyapunov_low_rank(A: Any, B: Any, *, tolerance: float = 0.0, discrete: bool = False, method: str = "auto",
                      rank_tolerance: float | None = None, memory: float = 0.0) -> tuple[Array, Certificate]:
    """Solve A X + X A^T = B B^T with a large sparse A and few columns of B: X = Z Z^T, never formed.

    A          SciPy sparse matrix (n, n)
    B          (n, m)
    tolerance  of the residual relative to ||B B^T||; 0: 1e-12
    Returns Z (n, rank), in the library's own memory and read-only, and its certificate. Raises as `lyapunov`.
    """
    if not _is_sparse(A):
        raise SettingError("A is not sparse: lyapunov() is for dense ones")
    sparse = _Sparse(A)
    n = sparse.struct.rows
    columns, factor = _noise(n, None, B)
    options = _Options(n, discrete, method, rank_tolerance, None, memory)
    rank, Z = ctypes.c_size_t(), ctypes.POINTER(ctypes.c_double)()
    certificate, error = _header.sgf_certificate(), _header.sgf_error()
    if library.sgf_lyapunov_solve_low_rank(ctypes.byref(sparse.struct), columns, address(factor), tolerance,
                                           ctypes.byref(options.struct), ctypes.byref(rank), ctypes.byref(Z),
                                           ctypes.byref(certificate), ctypes.byref(error)) != 0:
        raise_error(error, certificate=_certificate(certificate))
    owner = Handle(ctypes.cast(Z, ctypes.c_void_p).value or 0, library.sgf_free)
    return view(Z, (n, rank.value), owner), _certificate(certificate)
