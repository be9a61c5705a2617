"""Problems, predictions, simulations, comparisons: the same numbers as the program, refusals, lifetimes of memory."""
import gc
import subprocess
import weakref

import numpy as np
import pytest
import sgflow
from sgflow import _header, _settings

FAST = dict(learning_rate=0.05, batch_size=6)
CONFIG = """\
data:
  samples: 40
network:
  widths: [4, 3, 2]
training:
  learning_rate: 0.02
  batch_size: 5
simulation:
  replicas: 70
  burn_in: 1
  window: 4
verify:
  tolerance: 0.3
seed: 3
"""
SETTINGS = dict(samples=40, widths=[4, 3, 2], learning_rate=0.02, batch_size=5, replicas=70, burn_in=1, window=4,
                tolerance=0.3, seed=3)


def test_minimum_is_least_squares(data):
    X, Y = data
    problem = sgflow.Problem(X, Y, **FAST)
    assert problem.widths == [4, 2] and problem.size == 8 and problem.samples == 60
    expected = np.linalg.lstsq(X, Y, rcond=None)[0].T
    assert np.allclose(problem.weights[0], expected, rtol=1e-12) and np.allclose(problem.minimum, expected.ravel())


def test_covariance_solves_the_lyapunov_equation(data):
    """H Sigma + Sigma H = (lambda / S) C, with H and C recomputed from the data by NumPy."""
    X, Y = data
    prediction = sgflow.Problem(X, Y, equation="continuum", **FAST).predict()
    errors = X @ np.linalg.lstsq(X, Y, rcond=None)[0] - Y
    gradients = np.einsum("pi,pj->pij", errors, X).reshape(len(X), -1)
    H, C = np.kron(np.eye(2), X.T @ X / len(X)), gradients.T @ gradients / len(X)
    assert np.allclose(prediction.hessian, H, atol=1e-12) and np.allclose(prediction.noise_covariance, C, atol=1e-12)
    Sigma, certificate = sgflow.lyapunov(H, FAST["learning_rate"] / FAST["batch_size"] * C)
    assert certificate.rank == 8
    assert np.allclose(prediction.covariance, Sigma, rtol=0, atol=1e-11 * np.abs(Sigma).max())
    assert prediction.trace == pytest.approx(np.trace(Sigma), rel=1e-11)
    assert prediction.excess_loss == pytest.approx(np.trace(H @ Sigma) / 2, rel=1e-11)
    wrong = sgflow.Problem(X, Y, equation="continuum", learning_rate=0.05 * 1.03, batch_size=6).predict()
    assert not np.allclose(wrong.covariance, Sigma, rtol=0.02)


def test_runs_of_all_weights():
    """The closure joined with the motion along the null space; elsewhere a reason."""
    problem = sgflow.Problem.from_settings(**dict(SETTINGS, equation="closure"))
    prediction = problem.predict()
    assert "whole_trace" not in prediction.numbers and problem.predict_runs(prediction) is None
    whole = prediction.array("whole/covariance")
    assert prediction.numbers["whole_trace"] == pytest.approx(np.trace(whole), rel=1e-12)
    assert prediction.numbers["whole_time"] == pytest.approx(5.0, abs=0.05)
    assert np.linalg.matrix_rank(whole, tol=1e-10) > prediction.info["rank_hessian"]  # rotations are in it
    plan = problem.plan(prediction)
    problem.predict_runs(prediction, plan._replace(window_steps=2 * plan.window_steps))
    assert prediction.numbers["whole_time"] == pytest.approx(9.0, abs=0.1)
    other = sgflow.Problem.from_settings(**SETTINGS)
    assert "closure" in other.predict_runs(other.predict())


def test_layers(data):
    random = np.random.default_rng(1)
    start = [random.normal(size=(3, 4)) / 2, random.normal(size=(2, 3)) / 2]
    problem = sgflow.Problem(*data, weights=start, **FAST)
    assert problem.widths == [4, 3, 2] and [W.shape for W in problem.weights] == [(3, 4), (2, 3)]
    same = sgflow.Problem(*data, weights=np.concatenate([W.ravel() for W in start]), widths=[4, 3, 2], **FAST)
    assert np.array_equal(same.minimum, problem.minimum)
    prediction = problem.predict()
    first, second = prediction.layers
    assert np.array_equal(first.array("covariance"), prediction.covariance[:12, :12])
    variances = np.linalg.eigvalsh(prediction.covariance[12:, 12:])
    assert np.allclose(variances, np.sort(second.variance), rtol=1e-9)
    assert first.numbers["trace"] + second.numbers["trace"] == pytest.approx(prediction.trace)
    assert prediction.rotation(1)["modes"] == 3 and prediction.rotation(2) == {}
    assert prediction.array("spectrum/hessian").shape == (18,) and prediction.array("directions").shape == (18, 18)
    with pytest.raises(KeyError, match="no array 'sigma'"):
        prediction.array("sigma")


def test_one_weight_has_matrices_too():
    random = np.random.default_rng(2)
    X = random.normal(size=(30, 1))
    prediction = sgflow.Problem(X, X + random.normal(size=(30, 1)), **FAST).predict()
    assert prediction.covariance.shape == (1, 1) and prediction.layers[0].variance.shape == (1,)
    assert prediction.array("spectrum/covariance").shape == (1,)


@pytest.mark.parametrize("positional, settings, kind, message", [
    ((), dict(batch_size=61), sgflow.SettingError, "training.batch_size is 61, larger than the 60 samples"),
    ((), dict(sampling="random"), sgflow.SettingError, "training.sampling is 'random': it must be one of replacement"),
    ((), dict(momentum=0.9, equation="exact"), sgflow.UnsupportedError, "training.momentum is 0.9"),
    ((), dict(learning_rates=1), sgflow.SettingError, "learning_rates is no key"),
    ((), dict(learning_rate=float("nan")), sgflow.SettingError, "training.learning_rate is NaN"),
    ((), dict(batch_size=2.5), sgflow.SettingError, "training.batch_size is 2.5: a whole number"),
    ((), dict(batch_size=-1), sgflow.SettingError, "training.batch_size is -1: a whole number"),
    ((), dict(replicas=0), sgflow.SettingError, "simulation.replicas is 0"),
    ((), dict(relax=1), sgflow.SettingError, "network.relax is 1: True or False"),
    ((), dict(widths=[4, 3]), sgflow.SettingError, r"network.widths is \[4, 3\]: X has 4 columns and Y has 2"),
    ((np.zeros(7),), {}, sgflow.SettingError, r"weights are 7 numbers, network.widths \[4, 2\] ask for 8"),
    (([np.zeros((3, 4)), np.zeros((2, 4))],), {}, sgflow.SettingError, r"weights\[1\] has shape \(2, 4\)"),
    (("none.h5",), {}, sgflow.FileError, "none.h5"),
])
def test_refusals(data, positional, settings, kind, message):
    with pytest.raises(kind, match=message):
        sgflow.Problem(*data, *positional, **settings)


def test_refused_data(data):
    X, Y = data
    with pytest.raises(sgflow.SettingError, match="X has 60 samples and Y has 59"):
        sgflow.Problem(X, Y[:-1])
    with pytest.raises(sgflow.SettingError, match=r"X has shape \(60,\)"):
        sgflow.Problem(X[:, 0], Y)
    X = X.copy()
    X[3, 2] = np.inf
    with pytest.raises(sgflow.SettingError, match="inf"):
        sgflow.Problem(X, Y)


def test_unstable(data):
    problem = sgflow.Problem(*data, learning_rate=5.0, batch_size=6)
    with pytest.raises(sgflow.UnstableError, match="stability limit"):
        problem.predict()
    prediction = problem.predict(force=True)
    assert prediction.learning_rate_limit < 5.0 and np.isnan(prediction.covariance).all()


def test_arrays_are_the_librarys_own_and_keep_it_alive(data):
    problem = sgflow.Problem(*data, **FAST)
    prediction = problem.predict()
    handle = weakref.ref(prediction._handle)
    covariance, again = prediction.covariance, prediction.covariance
    assert covariance.__array_interface__["data"] == again.__array_interface__["data"]
    assert not covariance.flags.owndata and not covariance.flags.writeable
    row, expected = covariance[2], covariance[2].copy()
    del prediction, covariance, again
    gc.collect()
    assert handle() is not None and np.array_equal(row, expected)
    del row
    gc.collect()
    assert handle() is None
    minimum, handle = problem.weights[0], weakref.ref(problem._handle)
    del problem
    gc.collect()
    assert handle() is not None and np.isfinite(minimum).all()


def test_memory_is_freed_at_once(data):
    """Without waiting for the garbage collector: nothing refers to itself in a circle."""
    gc.disable()
    try:
        problem = sgflow.Problem(*data, replicas=8, **FAST)
        comparison = problem.verify()
        parts = problem, comparison.prediction, comparison.ensemble, comparison, sgflow.CovarianceOperator(problem)
        handles = [weakref.ref(part._handle) for part in parts]
        handles.append(weakref.ref(comparison.ensemble._handle.keep))
        del problem, comparison, parts
        assert [handle() for handle in handles] == [None] * 6
    finally:
        gc.enable()


def test_inputs_may_change_afterwards(data):
    X, Y = data
    problem = sgflow.Problem(X, Y, **FAST)
    before = problem.predict().trace
    X[:], Y[:] = 0, 0
    assert problem.predict().trace == before


def test_settings_are_all_keys_and_come_back():
    assert set(sgflow.Settings.__annotations__) == set(_settings._PLACES)
    settings = dict(samples=50, widths=[3, 1], input_spectrum=[1.0, 2.0, 3.0], teacher="low-rank", teacher_rank=1,
                    label_noise=0.25, init_scale=0.5, relax=True, start="descent", learning_rate=0.03, batch_size=7,
                    sampling="without-replacement", momentum=0.5, weight_decay=0.125, noise="empirical",
                    equation="discrete", rank_tolerance=1e-9, modes=5, flatness_factor=2.0, dynamics="sgd",
                    langevin_noise="frozen", protocol="ensemble", uncoupled=True, replicas=9, burn_in=2.0, window=3.0,
                    tolerance=0.1, level=0.01, seed=2**63 + 1)
    found = sgflow.Problem.from_settings(**settings).settings
    assert {key: found[key] for key in settings} == settings and set(found) - set(settings) == {"source"}
    assert sgflow.Problem.from_settings(**settings, time_step=None).settings == found
    for made, struct in ((sgflow.Plan, _header.sgf_plan), (sgflow.Certificate, _header.sgf_certificate),
                         (sgflow.Quantity, _header.sgf_quantity)):
        assert set(made._fields) == {name for name, _ in struct._fields_} - {"reserved"}
    statuses = set(_header.ENUMERATIONS["sgf_status"]) - {"ok"}
    assert set(sgflow._errors.BY_STATUS) == statuses


def test_numbers_of_the_program(tmp_path, program):
    """The same config by `sgflow verify`: prediction, simulation and comparison to the last bit."""
    h5py = pytest.importorskip("h5py")
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = subprocess.run([program, "verify", tmp_path / "config.yaml", "-o", tmp_path / "out.h5"], capture_output=True,
                         text=True)
    assert run.returncode in (0, 1, 2), run.stderr
    problem = sgflow.Problem.from_settings(**SETTINGS)
    prediction = problem.predict()
    comparison = problem.verify(prediction, threads=1)
    comparison.write(tmp_path / "own.h5")
    assert comparison.write_report(tmp_path / "own.html") in (True, False)
    with h5py.File(tmp_path / "out.h5") as file, h5py.File(tmp_path / "own.h5") as own:
        def compare(name, item):
            if isinstance(item, h5py.Dataset) and not name.startswith("simulation/seconds"):
                assert np.array_equal(item[()], own[name][()], equal_nan=item.dtype.kind == "f"), name
        file.visititems(compare)
        for name, value in prediction.numbers.items():
            assert np.array_equal(file["theory"].attrs[name], value, equal_nan=True), name
        assert np.array_equal(file["theory/layer2/variance"], prediction.layers[1].variance)
        assert np.array_equal(file["simulation/covariance"], comparison.ensemble.covariance)
        assert np.array_equal(file["simulation/covariance_se"], comparison.ensemble.standard_error)
        assert np.array_equal(file["simulation/mean"], comparison.ensemble.mean)
        assert comparison.verdict == file["comparison"].attrs["verdict"]
        assert comparison["trace"].deviation == file["comparison/trace/deviation"][()]
        assert "replicas: 70\n" in own.attrs["config"]


def test_written_config_is_a_config(tmp_path, program):
    """The config in a file that the package wrote is read by the program, and gives the same prediction."""
    h5py = pytest.importorskip("h5py")
    problem = sgflow.Problem.from_settings(**SETTINGS, rank_tolerance=1e-9, input_spectrum=[1, 2.5])
    prediction = problem.predict()
    problem.write(tmp_path / "own.h5", prediction)
    with h5py.File(tmp_path / "own.h5") as file:
        (tmp_path / "config.yaml").write_text(file.attrs["config"])
    subprocess.run([program, "predict", tmp_path / "config.yaml", "-o", tmp_path / "out.h5"], check=True,
                   capture_output=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["theory/covariance"], prediction.covariance)
    with pytest.raises(sgflow.FileError, match="nowhere"):
        problem.write(tmp_path / "nowhere" / "x.h5")


def test_verify_agrees_and_a_planted_error_does_not(data):
    """Exact equation: agreement at level 1e-6; a learning rate that is 15 % off is seen."""
    problem = sgflow.Problem(*data, equation="exact", level=1e-6, tolerance=0.1, seed=5, **FAST)
    comparison = problem.verify()
    assert comparison.verdict == "agree" and "verdict: agree" in str(comparison)
    assert comparison.ensemble.trace == pytest.approx(comparison.prediction.trace, rel=0.1)
    assert len(comparison.modes) == _header.SGF_SLOW_MODES and comparison.modes[0]["r_hat"] < 1.2
    other = sgflow.Problem(*data, equation="exact", level=1e-6, tolerance=0.1, learning_rate=0.0575, batch_size=6)
    wrong = other.compare(other.predict(), comparison.ensemble)
    assert wrong.verdict == "disagree" and wrong["trace"].deviation < -0.1


def test_simulation_has_the_same_bits_for_any_number_of_threads(data):
    problem = sgflow.Problem(*data, **FAST)
    prediction = problem.predict()
    plan = problem.plan(prediction)._replace(replicas=12)
    one, two = (problem.simulate(prediction, plan, threads=threads) for threads in (1, 2))
    assert one.info["replicas"] == 12 and np.array_equal(one.covariance, two.covariance)


def test_progress(data):
    problem = sgflow.Problem(*data, replicas=64, **FAST)
    seen = []
    problem.simulate(progress=lambda done, total: seen.append((done, total)))
    assert seen and 0 < seen[-1][0] <= seen[-1][1]
    with pytest.raises(sgflow.InterruptError):
        problem.simulate(progress=lambda done, total: False)

    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        problem.simulate(progress=fail)


def test_recorded_weights(tmp_path, data):
    """SGD by NumPy alone, 400 replicas, compared; weights that are 5 % off are seen."""
    h5py = pytest.importorskip("h5py")
    X, Y = data
    problem = sgflow.Problem(X, Y, equation="exact", tolerance=0.15, level=1e-4, **FAST)
    prediction = problem.predict()
    random = np.random.default_rng(11)
    W = np.tile(problem.weights[0], (400, 1, 1))
    kept = []
    for step in range(400 + 40 * 10):
        batch = random.integers(len(X), size=(400, 6))
        errors = X[batch] @ W.transpose(0, 2, 1) - Y[batch]
        W = W - 0.05 * errors.transpose(0, 2, 1) @ X[batch] / 6
        if step >= 400 and step % 10 == 0:
            kept.append(W.reshape(400, 8))
    weights = np.stack(kept, axis=1)
    for scale, verdicts in (1.0, ("agree", "inconclusive")), (1.05, ("disagree",)):
        with h5py.File(tmp_path / "run.h5", "w") as file:
            file["weights"] = weights * scale
            file["weights"].attrs["stride"] = 10
        ensemble = problem.read_trajectory(tmp_path / "run.h5")
        assert ensemble.info["recorded"] and ensemble.info["replicas"] == 400
        deviations = weights * scale - problem.minimum
        assert np.allclose(ensemble.covariance, np.einsum("rti,rtj->ij", deviations, deviations) / 16000, rtol=1e-9)
        comparison = problem.compare(prediction, ensemble)
        assert comparison.verdict in verdicts
        given = problem.record(weights * scale, stride=10)
        assert np.array_equal(given.covariance, ensemble.covariance)
        assert problem.compare(prediction, given).quantities == comparison.quantities
    with pytest.raises(sgflow.FileError, match="none.h5"):
        problem.read_trajectory(tmp_path / "none.h5")


def test_recorded_array(data):
    problem = sgflow.Problem(*data, **FAST)
    prediction = problem.predict()
    random = np.random.default_rng(3)
    one = problem.minimum + 0.01 * random.normal(size=(960, 8))
    ensemble = problem.record(one)
    assert ensemble.info["batches"] and ensemble.info["replicas"] == 24
    names = {quantity.name for quantity in problem.compare(prediction, ensemble).quantities}
    timed = {quantity.name for quantity in problem.compare(prediction, problem.record(one, 5)).quantities}
    assert "correlation_times" in timed - names
    for weights, stride, message in [
        (one[:, :7], 1, r"weights has shape \(1, 960, 7\)"),
        (one[:90], 1, "the array: one run of 90 snapshots"),
        (np.full((4, 2, 8), np.nan), 1, r"the array: weights\[0, 0, 0\] is -?nan"),
        (one, 0.5, "stride is 0.5"),
    ]:
        with pytest.raises(sgflow.SettingError, match=message):
            problem.record(weights, stride)


def test_recorded_array_on_directions():
    problem = sgflow.Problem.from_settings(widths=[20, 210, 5], samples=400, learning_rate=0.005)
    prediction = problem.predict("directions")
    operator = sgflow.CovarianceOperator(problem)
    weights = problem.minimum + operator.sample(60).reshape(6, 10, problem.size)
    ensemble = problem.record(weights, prediction=prediction)
    along = (weights - problem.minimum) @ prediction.directions.T
    expected = np.einsum("rti,rtj->ij", along, along) / 60
    assert np.allclose(ensemble.covariance, expected, rtol=0, atol=1e-12 * expected.max())
