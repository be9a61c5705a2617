"""Data, network at its minimum, and training; its prediction, simulation and comparison."""
from __future__ import annotations

import ctypes
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

import numpy as np

from . import _header
from ._comparison import Comparison, Ensemble, Plan
from ._errors import SettingError
from ._library import Array, Handle, address, call, library, make, numbers, raise_error, reals, view
from ._prediction import Prediction
from ._settings import Keys, Settings, SettingsStruct, read_settings, settings_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

Progress = Callable[[float, float], Optional[bool]]
"""Called now and then with replica-steps done and in total; False stops with InterruptError, an exception passes."""

_LARGE = 4000  # weights, beyond which n x n matrices are only made when asked for
_FROM_ARRAYS = ("source", "teacher", "teacher_rank", "label_noise", "input_spectrum", "input_power_law", "file")
_SLACK = 2.0  # the estimate of how many replicas would decide is good to about this factor


class Problem:
    """A linear network with weights W_1 ... W_L at the minimum that full-batch descent leads to, and its training.

    X         (P, N_0), inputs, one sample a row; a float64 array, contiguous, is read without a copy
    Y         (P, N_L), targets
    weights   where the descent starts: the matrices W_l (N_l, N_{l-1}), such as list(model.parameters()); or all of
              them in one vector, in the order of PyTorch's parameters_to_vector; or the name of an HDF5 file with W1,
              ...; None: random. One layer has one minimum; several have many, and this is next to the start
    settings  keys of a config, see `Settings`; `widths` are those of the weights, or of one layer, when left out

    The loss is the mean over the batch of |error|^2 / 2: of PyTorch's MSELoss(), lr and weight_decay it is the same SGD
    with learning_rate = 2 lr / N_L and weight_decay N_L / 2. A bias is a column of ones in X.
    Raises SettingError, UnsupportedError for what is not built, FileError, OutOfMemoryError, NumericalError.
    """

    def __init__(self, X: Any, Y: Any, weights: Any = None, **settings: Unpack[Keys]):
        inputs, targets = reals("X", X, None, None), reals("Y", Y, None, None)
        if len(inputs) != len(targets):
            raise SettingError(f"X has {len(inputs)} samples and Y has {len(targets)}")
        asked: dict[str, Any] = dict(settings)
        theta = None
        if isinstance(weights, (str, os.PathLike)):
            asked["weights"] = os.fspath(weights)
        elif weights is not None:
            theta, widths = _flatten(weights)
            asked.setdefault("widths", widths)
        if asked.get("widths") is None:
            asked["widths"] = [inputs.shape[1], targets.shape[1]]
        widths = [int(width) for width in asked["widths"]]
        if widths[:1] != [inputs.shape[1]] or widths[-1:] != [targets.shape[1]]:
            raise SettingError(f"network.widths is {widths}: X has {inputs.shape[1]} columns and Y has "
                               f"{targets.shape[1]}")
        n = sum(rows * columns for rows, columns in zip(widths[1:], widths))
        if theta is not None and theta.shape != (n,):
            raise SettingError(f"weights are {theta.size} numbers, network.widths {widths} ask for {n}")
        struct = SettingsStruct(asked)
        self._finish(make(library.sgf_problem_from_arrays, library.sgf_problem_free, ctypes.byref(struct.struct),
                          len(inputs), address(inputs), address(targets), address(theta)), _FROM_ARRAYS)

    @classmethod
    def from_settings(cls, folder: str | os.PathLike[str] | None = None, accept_constant_columns: bool = False,
                      **settings: Unpack[Settings]) -> Problem:
        """A problem whose data are generated, or read from the HDF5 file `file`, as those of a config.

        folder                   what relative names of files are relative to; None: the current one
        accept_constant_columns  a column of X with one nonzero value throughout, a bias, is used and not refused
        settings                 `widths` has no default; a `file` without a `source` is the source
        """
        asked: dict[str, Any] = dict(settings)
        if asked.get("file") is not None:
            asked.setdefault("source", "file")
        struct = SettingsStruct(asked)
        made = cls.__new__(cls)
        made._finish(make(library.sgf_problem_create, library.sgf_problem_free, ctypes.byref(struct.struct),
                          None if folder is None else os.fsencode(folder), accept_constant_columns))
        return made

    def _finish(self, handle: Handle, unused: Sequence[str] = ()) -> None:
        self._handle = handle
        found = read_settings(library.sgf_problem_settings(handle.pointer).contents)
        self.settings: Settings = {key: value for key, value in found.items() if key not in unused}  # type: ignore
        """What was asked for, and the defaults; what is chosen later, such as replicas, is left out."""
        self.widths: list[int] = list(self.settings["widths"])
        """N_0 ... N_L"""
        self.samples: int = library.sgf_problem_samples(handle.pointer)
        """P"""
        self.size: int = library.sgf_problem_weights(handle.pointer)
        """n"""

    @property
    def minimum(self) -> Array:
        """theta* (n), the weights at the minimum, as PyTorch's parameters_to_vector has them. Not a copy, read-only."""
        return view(library.sgf_problem_minimum(self._handle.pointer), (self.size,), self._handle)

    @property
    def weights(self) -> list[Array]:
        """The matrices W_l (N_l, N_{l-1}) at the minimum. Not copies, read-only."""
        shapes = list(zip(self.widths[1:], self.widths))
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(self.minimum, ends[:-1]), shapes)]

    def predict(self, path: str = "auto", force: bool = False) -> Prediction:
        """The stationary fluctuations, by theory.

        path   "dense": n x n matrices; "operator": without any; "directions": the same, to be simulated and compared
               with along up to 256 directions; "auto": dense up to 4000 weights, beyond them operator
        force  go on beyond the stability limit, where there is no stationary state: covariances are NaN
        Raises UnstableError, UnsupportedError, OutOfMemoryError, NumericalError.
        """
        if path == "auto":
            path = "dense" if self.size <= _LARGE else "operator"
        free, pointer = library.sgf_prediction_free, self._handle.pointer
        if path == "dense":
            handle = make(library.sgf_predict, free, pointer, force)
        elif path == "operator":
            handle = make(library.sgf_predict_by_operator, free, pointer)
        elif path == "directions":
            handle = make(library.sgf_predict_on_directions, free, pointer)
        else:
            raise SettingError(f"path is {path!r}: it must be one of auto, dense, operator, directions")
        return Prediction(handle, len(self.widths) - 1)

    def _predict_to_compare(self) -> Prediction:
        return self.predict("dense" if self.size <= _LARGE else "directions")

    def plan(self, prediction: Prediction) -> Plan:
        """Replicas, burn-in and window that decide every quantity, where the settings leave them out."""
        plan = _header.sgf_plan()
        call(library.sgf_plan_simulation, self._handle.pointer, prediction._handle.pointer, ctypes.byref(plan))
        return Plan.from_struct(plan)

    def predict_runs(self, prediction: Prediction, plan: Plan | None = None) -> str | None:
        """What runs of a plan show of all weights, null space and all, with equation closure: into the arrays whole/mean,
        whole/covariance and whole/second_moment of the prediction, and its numbers whole_time, whole_mean, whole_trace,
        whole_along. Returns None, or why there is nothing of it.
        """
        plan = plan if plan is not None else self.plan(prediction)
        reason = library.sgf_whole_left_out(self._handle.pointer, prediction._handle.pointer)
        call(library.sgf_predict_runs, self._handle.pointer, prediction._handle.pointer, ctypes.byref(plan.to_struct()))
        prediction.numbers.update(numbers(library.sgf_prediction_numbers, prediction._handle.pointer))
        return None if reason is None else reason.decode()

    def simulate(self, prediction: Prediction | None = None, plan: Plan | None = None, threads: int = 0,
                 progress: Progress | None = None) -> Ensemble:
        """Run SGD from the minimum in independent replicas. The result has the same bits for any number of threads.

        prediction  says how long to run, and on which directions moments are kept; made when left out
        plan        instead of `self.plan(prediction)`, for instance that with `._replace(replicas=100)`
        threads     0: all
        Raises DivergedError, OutOfMemoryError, InterruptError; Ctrl-C is KeyboardInterrupt.
        """
        prediction = prediction if prediction is not None else self._predict_to_compare()
        plan = plan if plan is not None else self.plan(prediction)
        return self._run(self._simulation(prediction, plan), plan.replicas, self._kept(prediction), threads, progress)

    def _kept(self, prediction: Prediction | None) -> int:
        """Of what an ensemble keeps the moments: of so many directions, or of all weights."""
        directions = None if prediction is None else prediction.directions
        return self.size if directions is None else len(directions)

    def _simulation(self, prediction: Prediction, plan: Plan) -> Handle:
        """A simulation of which nothing has run, with what `compare` wants to know of it."""
        free, pointer, how = library.sgf_simulation_free, self._handle.pointer, plan.to_struct()
        directions = prediction.directions
        if directions is not None:
            return make(library.sgf_simulation_create_on, free, pointer, ctypes.byref(how), len(directions),
                        address(directions), keep=self._handle)
        handle = make(library.sgf_simulation_create, free, pointer, ctypes.byref(how), keep=self._handle)
        modes, most = ctypes.POINTER(ctypes.c_double)(), _header.SGF_SLOW_MODES
        slow = library.sgf_prediction_slow_modes(prediction._handle.pointer, most, ctypes.byref(modes))
        if slow > 0:
            call(library.sgf_simulation_follow, handle.pointer, slow, modes)
        return handle

    def _run(self, simulation: Handle, replicas: int, kept: int, threads: int,
             progress: Progress | None) -> Ensemble:
        raised: list[BaseException] = []

        def report(_context: Any, done: float, total: float) -> bool:
            try:
                return progress is None or progress(done, total) is not False
            except BaseException as exception:  # KeyboardInterrupt too: it must not be lost in C
                raised.append(exception)
                return False

        error = _header.sgf_error()
        status = library.sgf_simulation_run(simulation.pointer, replicas, threads, _header.sgf_progress(report), None,
                                            ctypes.byref(error))
        if raised:
            raise raised[0]
        if status != 0:
            raise_error(error)
        pointer = library.sgf_simulation_ensemble(simulation.pointer)
        return Ensemble(Handle(pointer, None, keep=simulation), kept, threads or library.omp_get_max_threads())

    def read_trajectory(self, path: str | os.PathLike[str], prediction: Prediction | None = None) -> Ensemble:
        """Weights that another program recorded: HDF5 dataset `weights` (R, T, n) or (T, n), attribute `stride`.

        prediction  one on directions: moments are kept along these
        """
        directions = None if prediction is None else prediction.directions
        free, pointer, name = library.sgf_ensemble_free, self._handle.pointer, os.fsencode(path)
        if directions is None:
            return Ensemble(make(library.sgf_trajectory_read, free, name, pointer), self.size)
        return Ensemble(make(library.sgf_trajectory_read_on, free, name, pointer, len(directions), address(directions)),
                        len(directions))

    def record(self, weights: Any, stride: int | None = None, prediction: Prediction | None = None) -> Ensemble:
        """The same from an array.

        weights     (R, T, n), T snapshots of R runs of stationary SGD, each as PyTorch's parameters_to_vector has it, or
                    (T, n), one long run that is cut
        stride      steps between snapshots; None: correlation times and displacement are not compared
        prediction  one on directions: moments are kept along these
        """
        if hasattr(weights, "detach"):
            weights = weights.detach().cpu().numpy()
        snapshots = np.asarray(weights)
        snapshots = reals("weights", snapshots[np.newaxis] if snapshots.ndim == 2 else snapshots, None, None, self.size)
        if stride is not None and (int(stride) != stride or stride < 1):
            raise SettingError(f"stride is {stride!r}: a whole number of steps is wanted")
        directions = None if prediction is None else prediction.directions
        return Ensemble(make(library.sgf_trajectory_from_array, library.sgf_ensemble_free, self._handle.pointer,
                             *snapshots.shape[:2], address(snapshots), int(stride or 0),
                             0 if directions is None else len(directions), address(directions)), self._kept(prediction))

    def compare(self, prediction: Prediction, ensemble: Ensemble) -> Comparison:
        """Compare what was measured with a prediction, quantity by quantity, by equivalence tests."""
        handle = make(library.sgf_compare, library.sgf_comparison_free, self._handle.pointer,
                      prediction._handle.pointer, ensemble._handle.pointer)
        return Comparison(handle, self, prediction, ensemble)

    def verify(self, prediction: Prediction | None = None, threads: int = 0,
               progress: Progress | None = None) -> Comparison:
        """Theory and SGD, compared: `sgflow verify`. With `replicas` left out of the settings there are as many as are
        likely to decide, and where something stays open twice as many, up to 16 times. Raises as the three parts do."""
        prediction = prediction if prediction is not None else self._predict_to_compare()
        plan = self.plan(prediction)
        simulation, replicas = self._simulation(prediction, plan), plan.replicas
        most = plan.replicas << (max(plan.looks, 1) - 1)
        while True:
            ensemble = self._run(simulation, replicas, self._kept(prediction), threads, progress)
            comparison = self.compare(prediction, ensemble)
            needed = comparison.info["replicas_needed"]
            if comparison.info["inconclusive"] == 0 or replicas >= most or not needed <= _SLACK * most:
                return comparison
            replicas *= 2

    def write(self, path: str | os.PathLike[str], prediction: Prediction | None = None,
              ensemble: Ensemble | None = None, full: bool = False) -> None:
        """Write an HDF5 file like that of `sgflow predict` or `simulate`, beside `path` and renamed when complete.

        full  write the n x n sets beyond 4000 weights too
        Raises FileError; an older file is then intact.
        """
        self._write(path, prediction, ensemble, None, full)

    def _write(self, path: str | os.PathLike[str], prediction: Prediction | None, ensemble: Ensemble | None,
               comparison: Handle | None, full: bool = False) -> None:
        call(library.sgf_write_results, os.fsencode(path), ctypes.byref(self._provenance(ensemble)),
             self._handle.pointer, *_pointers(prediction, ensemble, comparison), full)

    def _write_report(self, path: str | os.PathLike[str], prediction: Prediction, ensemble: Ensemble,
                      comparison: Handle) -> bool:
        figures = ctypes.c_bool()
        call(library.sgf_write_report, os.fsencode(path), ctypes.byref(self._provenance(ensemble)),
             self._handle.pointer, *_pointers(prediction, ensemble, comparison), ctypes.byref(figures))
        return figures.value

    def _provenance(self, ensemble: Ensemble | None) -> _header.sgf_provenance:
        """The config as YAML, with the plan that was followed; data given as arrays are in the file itself."""
        resolved: dict[str, Any] = dict(self.settings)
        if ensemble is not None and not ensemble.info["recorded"]:
            plan = ensemble.info["plan"]
            time = library.sgf_time_of_step(library.sgf_problem_settings(self._handle.pointer))
            resolved.update(replicas=plan["replicas"], burn_in=time * plan["burn_in_steps"],
                            window=time * plan["window_steps"])
        note = "" if "source" in resolved else "# X and Y were given as arrays: data/X and data/Y of this file\n"
        request, config = (note + settings_text(settings) for settings in (self.settings, resolved))
        command = shlex.join(["python3", *sys.argv]) if sys.argv and sys.argv[0] not in ("", "-c") else "python3"
        threads = library.omp_get_max_threads() if ensemble is None else ensemble.threads
        return _header.sgf_provenance(config.encode(), command.encode(), threads, request.encode())


def _pointers(prediction: Prediction | None, ensemble: Ensemble | None, comparison: Handle | None) -> Sequence[Any]:
    return [None if part is None else part.pointer for part in (
        None if prediction is None else prediction._handle, None if ensemble is None else ensemble._handle, comparison)]


def _flatten(weights: Any) -> tuple[Array, list[int] | None]:
    """One vector of matrices W_1 ... W_L, and the widths that they have; a vector as it is."""
    if not isinstance(weights, (list, tuple)) or all(np.ndim(part) == 0 for part in weights):
        return reals("weights", weights, None), None
    matrices = [reals(f"weights[{k}]", part, None, None) for k, part in enumerate(weights)]
    for k in range(1, len(matrices)):
        if matrices[k].shape[1] != matrices[k - 1].shape[0]:
            raise SettingError(f"weights[{k}] has shape {matrices[k].shape}, weights[{k - 1}] {matrices[k - 1].shape}: "
                               "W_l is (N_l, N_{l-1})")
    widths = [matrices[0].shape[1]] + [matrix.shape[0] for matrix in matrices]
    return np.concatenate([matrix.ravel() for matrix in matrices]), widths
