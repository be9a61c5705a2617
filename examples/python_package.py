#!/usr/bin/env python3
"""The Python package: a sweep without files. How psi of variance ~ flatness^-psi depends on the number of samples.

    pip install ../python     (or PYTHONPATH=../python in the source tree)
    python3 python_package.py

Then data of one's own, given as arrays, theory against SGD, and the covariance as an operator.
"""
import numpy as np
import sgflow


def sweep():
    print("samples  psi of layer 1  psi of layer 2")
    for samples in 200, 2000, 20000:
        problem = sgflow.Problem.from_settings(widths=[8, 8, 8], samples=samples, learning_rate=0.01)
        psi = [layer.psi for layer in problem.predict().layers]
        print(f"{samples:7}  {psi[0]:14.3f}  {psi[1]:14.3f}")


def own_data():
    random = np.random.default_rng(1)
    X = random.normal(size=(200, 6))  # inputs, (P, N_0)
    Y = X @ random.normal(size=(6, 2)) + 0.3 * random.normal(size=(200, 2))  # targets, (P, N_L)
    problem = sgflow.Problem(X, Y, learning_rate=0.05, batch_size=10, equation="exact")
    prediction = problem.predict()
    print(f"\ntrace of the covariance, predicted: {prediction.trace:.6g}, shape {prediction.covariance.shape}")
    print(problem.verify(prediction))


def large():
    problem = sgflow.Problem.from_settings(widths=[50, 60, 50], samples=400, learning_rate=0.01, noise="isotropic")
    operator = sgflow.CovarianceOperator(problem)
    variance = operator.diagonal()
    print(f"\n{problem.size} weights by the path {operator.info['path']}: trace {operator.trace:.6g}, standard deviation "
          f"of a weight {np.sqrt(variance.min()):.3g} ... {np.sqrt(variance.max()):.3g}")


if __name__ == "__main__":
    sweep()
    own_data()
    large()
