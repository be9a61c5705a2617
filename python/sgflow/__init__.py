"""sgflow: stationary weight fluctuations of linear networks under SGD, and Lyapunov equations with a singular drift.

    problem = sgflow.Problem(X, Y, learning_rate=0.02, batch_size=10, equation="exact")
    prediction = problem.predict()           # theory: prediction.covariance, prediction.trace, prediction.layers[0].psi
    print(problem.verify(prediction))        # theory against SGD, with error bars and verdicts
    X, certificate = sgflow.lyapunov(A, Q)   # A X + X A^T = Q, A may be singular

Conventions are those of include/sgflow.h: matrices have NumPy's shapes, samples are rows, theta = (vec W_1; ...;
vec W_L) with stacked rows, one step of SGD is a continuum time of learning_rate. A thin layer over the C library:
arrays go in and come out without copies where they can, and what the library refuses is an exception with its message.
"""
from ._comparison import Comparison, Ensemble, Plan, Quantity
from ._covariance_operator import CovarianceOperator
from ._errors import (AmbiguousError, DivergedError, Error, FileError, IncompatibleError, InterruptError,
                      NumericalError, OutOfMemoryError, SettingError, UnstableError, UnsupportedError)
from ._library import libraries, version
from ._lyapunov import Certificate, lyapunov, lyapunov_low_rank, lyapunov_many
from ._prediction import Layer, Prediction
from ._problem import Problem
from ._settings import Settings
from ._version import __version__

__all__ = [
    "AmbiguousError", "Certificate", "Comparison", "CovarianceOperator", "DivergedError", "Ensemble", "Error",
    "FileError", "IncompatibleError", "InterruptError", "Layer", "NumericalError", "OutOfMemoryError", "Plan",
    "Prediction", "Problem", "Quantity", "SettingError", "Settings", "UnstableError", "UnsupportedError",
    "__version__", "libraries", "lyapunov", "lyapunov_low_rank", "lyapunov_many", "version",
]
