"""Equations: residuals from raw data, singular drifts, refusals with what was found, memory that lives long enough."""
import gc
import weakref

import numpy as np
import pytest
import sgflow
from sgflow import _library, _lyapunov


def stable(n, seed=0):
    random = np.random.default_rng(seed)
    return np.eye(n) * 3 + random.normal(size=(n, n)) / np.sqrt(n), random.normal(size=(n, n))


def residual(A, X, Q):
    return np.linalg.norm(A @ X + X @ A.T - Q) / (2 * np.linalg.norm(A) * np.linalg.norm(X) + np.linalg.norm(Q))


@pytest.mark.parametrize("n", [1, 2, 17, 60])
def test_residual(n):
    A, B = stable(n)
    X, certificate = sgflow.lyapunov(A, B @ B.T)
    assert residual(A, X, B @ B.T) < 1e-14 and np.array_equal(X, X.T)
    assert certificate.rank == n and certificate.residual < 1e-14 and certificate.error_bound < 1e-10
    assert np.allclose(sgflow.lyapunov(A, B=B)[0], X, rtol=1e-12, atol=0)


def test_conserved_quantity():
    A = np.array([[1.0, 0.3, 0.0], [-0.3, 2.0, 0.0], [0.0, 0.0, 0.0]])
    B = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 0.0]])
    X, certificate = sgflow.lyapunov(A, B=B)
    assert certificate.rank == 2 and residual(A, X, B @ B.T) < 1e-15 and np.all(X[2] == 0)
    initial = np.diag([0.0, 0.0, 2.0])
    assert sgflow.lyapunov(A, B=B, initial=initial)[0][2, 2] == pytest.approx(2.0, rel=1e-14)
    with pytest.raises(sgflow.IncompatibleError, match="does not let relax") as caught:
        sgflow.lyapunov(A, np.eye(3))
    assert caught.value.certificate.rank == 2 and caught.value.certificate.null_noise > 0.1


def test_discrete():
    A, B = stable(8)
    A = A / (1.2 * np.abs(np.linalg.eigvals(A)).max())
    X, certificate = sgflow.lyapunov(A, B @ B.T, discrete=True)
    assert np.linalg.norm(X - A @ X @ A.T - B @ B.T) < 1e-13 * np.linalg.norm(X) and certificate.rank == 8


def test_unstable_names_the_eigenvalue():
    with pytest.raises(sgflow.UnstableError, match="eigenvalue -1") as caught:
        sgflow.lyapunov(-np.eye(3), np.eye(3))
    assert isinstance(caught.value, ArithmeticError) and caught.value.status == "error-unstable"
    assert caught.value.certificate.real == -1.0


@pytest.mark.parametrize("A, Q, message", [
    (np.eye(3)[:2], np.eye(3), r"A has shape \(2, 3\)"),
    (np.eye(3), np.eye(2), r"Q has shape \(2, 2\), \(3, 3\) is wanted"),
    (np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]]), "symmetric"),
    (np.eye(2) * np.nan, np.eye(2), "nan"),
    (np.eye(2) * 1j, np.eye(2), "A is complex"),
    (np.eye(2), None, "one of Q and its factor B"),
])
def test_bad_input(A, Q, message):
    with pytest.raises(sgflow.SettingError, match=message) as caught:
        sgflow.lyapunov(A, Q)
    assert isinstance(caught.value, ValueError)


def test_bad_method():
    with pytest.raises(sgflow.SettingError, match="method is 'qr': it must be one of auto, symmetric, schur"):
        sgflow.lyapunov(np.eye(2), np.eye(2), method="qr")
    with pytest.raises(sgflow.UnsupportedError):
        sgflow.lyapunov(np.eye(2), np.eye(2), method="low-rank")


def test_many():
    A, Q = np.array([np.diag([1.0, 2.0]), np.diag([4.0, 8.0])]), np.array([np.eye(2)] * 2)
    X, certificates = sgflow.lyapunov_many(A, Q, threads=2)
    assert np.allclose(X[:, [0, 1], [0, 1]], [[0.5, 0.25], [0.125, 0.0625]]) and len(certificates) == 2
    with pytest.raises(sgflow.UnstableError) as caught:
        sgflow.lyapunov_many(A * [[[1]], [[-1]]], Q)
    assert np.array_equal(caught.value.X[0], X[0]) and np.isnan(caught.value.X[1]).all()
    with pytest.raises(ValueError, match="threads is -1: it must be 0, for all, or more"):
        sgflow.lyapunov_many(A, Q, threads=-1)


def test_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    n = 200
    A = sparse.diags([-np.ones(n - 1), 2.1 * np.ones(n), -np.ones(n - 1)], [-1, 0, 1])
    B = np.zeros((n, 1))
    B[3] = 1
    X, certificate = sgflow.lyapunov(A, B=B, method="kronecker")
    assert residual(A.toarray(), X, B @ B.T) < 1e-14 and certificate.method == "kronecker"
    Z, certificate = sgflow.lyapunov_low_rank(A, B)
    assert np.allclose(Z @ Z.T, X, rtol=0, atol=1e-11 * X.max()) and certificate.method == "low-rank"
    assert not Z.flags.owndata and not Z.flags.writeable


def test_memory_of_the_factor_lives_as_long_as_a_slice():
    sparse = pytest.importorskip("scipy.sparse")
    Z, _ = sgflow.lyapunov_low_rank(sparse.eye(400).tocsc() * 2.0, np.ones((400, 1)))
    owner = weakref.ref(Z.base.owner)
    part = Z[3:5].T
    expected = part.copy()
    del Z
    gc.collect()
    assert owner() is not None and np.array_equal(part, expected)
    del part
    gc.collect()
    assert owner() is None


def test_contiguous_input_is_not_copied():
    A = np.ones((3, 3))
    assert _library.reals("A", A, 3, 3) is A
    assert np.array_equal(_library.reals("A", A[:, ::2], 3, 2), A[:, ::2])


def test_sparse_input_is_neither_copied_nor_changed():
    sparse = pytest.importorskip("scipy.sparse")
    A = sparse.csc_matrix((np.array([1.0, 1.0, 3.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    assert np.allclose(sgflow.lyapunov(A, np.eye(2), method="kronecker")[0], np.diag([0.25, 1 / 6]), rtol=1e-14, atol=0)
    assert A.nnz == 3  # entries that are twice there are added, but not in the caller's matrix
    A.sum_duplicates()
    assert np.shares_memory(_lyapunov._Sparse(A).arrays[2], A.data)


def test_tensor_that_requires_a_gradient():
    class Tensor:  # what is used of a torch.Tensor, which NumPy refuses to read while it requires a gradient
        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.values

    X, _ = sgflow.lyapunov(Tensor(np.diag([2.0, 4.0])), Tensor(np.eye(2, dtype=np.float32)))
    assert np.array_equal(X, np.diag([0.25, 0.125]))
