"""The covariance as an operator: what the dense matrix says, for one layer and for two."""
import numpy as np
import pytest
import sgflow


@pytest.fixture(params=[[4, 2], [4, 5, 2]])
def both(request, data):
    """The operator and the dense prediction."""
    start = [np.random.default_rng(3).normal(size=(rows, columns)) / 2
             for rows, columns in zip(request.param[1:], request.param)]
    problem = sgflow.Problem(*data, weights=start, learning_rate=0.05, batch_size=6)
    return sgflow.CovarianceOperator(problem), problem.predict()


def close(one, other):
    return np.allclose(one, other, rtol=0, atol=1e-9 * np.abs(other).max())


def test_it_is_the_dense_covariance(both):
    operator, prediction = both
    Sigma, n = prediction.covariance, len(prediction.covariance)
    assert operator.shape == (n, n) and operator.trace == pytest.approx(np.trace(Sigma), rel=1e-9)
    assert close(operator.apply(np.eye(n)), Sigma) and close(operator @ np.eye(n), Sigma)
    v = np.random.default_rng(0).normal(size=(3, n))
    assert close(operator @ v[0], Sigma @ v[0]) and close(operator @ v.T, Sigma @ v.T)
    assert close(operator.forms(v), np.einsum("ki,ij,kj->k", v, Sigma, v)) and np.isscalar(operator.forms(v[0]))
    assert close(operator.curvatures(v), np.einsum("ki,ij,kj->k", v, prediction.hessian, v))
    assert close(operator.diagonal(), np.diag(Sigma))
    spectrum = prediction.array("spectrum/hessian")
    assert close(operator.rates(), spectrum[-operator.info["rank"]:])
    variance, curvature, directions, residual = operator.principal(3)
    assert close(variance, np.linalg.eigvalsh(Sigma)[::-1][:3]) and residual == 0
    assert close(directions @ Sigma, variance[:, None] * directions)
    assert close(curvature, operator.curvatures(directions))
    size = len(prediction.layers[0].variance)
    assert close(operator.block(1), Sigma[:size, :size])
    assert close(operator.layer(1)[0], np.sort(prediction.layers[0].variance)[::-1])


def test_output_array(both):
    operator, _ = both
    v = np.ones((2, operator.shape[0]))
    out = np.empty_like(v)
    assert operator.apply(v, out=out) is out and np.array_equal(out, operator.apply(v))
    for bad in v, out[:, ::-1], np.empty((1, 3)), out.astype(np.float32):
        with pytest.raises(ValueError, match="out must be"):
            operator.apply(v, out=bad)


def test_samples(both):
    operator, prediction = both
    samples = operator.sample(20000, seed=4)
    assert np.array_equal(samples[:5], operator.sample(20000, seed=4)[:5])
    measured = samples.T @ samples / len(samples)
    # each element has a standard error below 1.5 % of the largest variance: a deviation of 7 % is beyond 4.5 of them
    assert np.abs(measured - prediction.covariance).max() < 0.07 * np.abs(prediction.covariance).max()


def test_scipy_takes_it_for_an_operator(both):
    linalg = pytest.importorskip("scipy.sparse.linalg")
    operator, prediction = both
    largest = linalg.eigsh(linalg.aslinearoperator(operator), k=1, return_eigenvectors=False)
    assert largest[0] == pytest.approx(np.linalg.eigvalsh(prediction.covariance)[-1], rel=1e-8)


def test_refusals(data):
    problem = sgflow.Problem(*data, learning_rate=0.05, batch_size=6)
    operator = sgflow.CovarianceOperator(problem)
    with pytest.raises(ValueError, match="layer is 2: there are layers 1 ... 1"):
        operator.block(2)
    with pytest.raises(ValueError, match="count is 9: there are 8 directions"):
        operator.principal(9)
    with pytest.raises(sgflow.SettingError, match=r"v has shape \(1, 3\)"):
        operator.apply(np.ones(3))
    with pytest.raises(sgflow.UnsupportedError, match="exact"):
        sgflow.CovarianceOperator(sgflow.Problem(*data, learning_rate=0.05, batch_size=6, equation="exact"))


def test_beyond_dense_sizes():
    """5250 weights: by the operator, and compared with SGD on directions."""
    problem = sgflow.Problem.from_settings(widths=[20, 210, 5], samples=400, learning_rate=0.005, replicas=8,
                                           window=0.5, burn_in=0)
    assert problem.size == 5250
    prediction = problem.predict("directions")
    count, n = prediction.directions.shape
    assert n == 5250 and prediction.array("covariance_diagonal").shape == (5250,)
    with pytest.raises(KeyError):
        prediction.covariance
    ensemble = problem.simulate(prediction)
    assert ensemble.covariance.shape == (count, count)
    assert problem.compare(prediction, ensemble).numbers["directions"] == count
