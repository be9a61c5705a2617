#!/usr/bin/env python3
"""A singular drift on which a residual says nothing: A = R diag(0, 1, 3) R^T, R a rotation, A X + X A^T = 2 A.

One quantity does not relax and nothing drives it: X = R diag(0, 1, 1) R^T is the solution of least norm, and
X + c r r^T solves the equation for any c, r the null vector. Prints what SciPy returns."""

import warnings

import numpy
import scipy.linalg


def rotation(first, second):
    c, s, d, t = numpy.cos(first), numpy.sin(first), numpy.cos(second), numpy.sin(second)
    about_z = numpy.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    about_x = numpy.array([[1.0, 0.0, 0.0], [0.0, d, -t], [0.0, t, d]])
    return about_z @ about_x


R = rotation(0.5, 1.0)
A = R @ numpy.diag([0.0, 1.0, 3.0]) @ R.T
A = (A + A.T) / 2.0
exact = R[:, 1:] @ R[:, 1:].T

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    X = scipy.linalg.solve_continuous_lyapunov(A, 2.0 * A)

norm = numpy.linalg.norm
residual = norm(A @ X + X @ A.T - 2.0 * A) / (2.0 * norm(A) * norm(X) + 2.0 * norm(A))
print(f"SciPy {scipy.__version__}: residual {residual:.1e}, error {norm(X - exact) / norm(exact):.2g}, "
      f"{len(caught)} warnings")
