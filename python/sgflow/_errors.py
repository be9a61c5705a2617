"""Exceptions: one for each status of the library that a caller may want to tell from the others."""
from __future__ import annotations

from typing import Any


class Error(Exception):
    """A failure that the library reports, with its message, which names the key or quantity and the value it had.

    `status` is the name of the status, such as "error-value". What is known nevertheless, such as the certificate of an
    equation that was refused, is in `certificate`.
    """

    status = "error"
    certificate: Any = None


class SettingError(Error, ValueError):
    """A setting or the data cannot be used."""


class UnsupportedError(Error, NotImplementedError):
    """A valid combination that is not built."""


class UnstableError(Error, ArithmeticError):
    """The learning rate is beyond the stability limit, or the drift of an equation is unstable."""


class DivergedError(Error, ArithmeticError):
    """A simulation left every bound."""


class FileError(Error, OSError):
    """A file cannot be opened, created, or written to its end."""


class OutOfMemoryError(Error, MemoryError):
    """No memory, or a size that overflows."""


class NumericalError(Error, ArithmeticError):
    """An iteration did not converge, or a residual is too large."""


class InterruptError(Error):
    """The progress function asked to stop."""


class IncompatibleError(Error, ArithmeticError):
    """Noise where the drift vanishes: a singular equation without a solution."""


class AmbiguousError(Error, ArithmeticError):
    """The rank of the drift, or its null space, is not known to working accuracy."""


BY_STATUS = {
    "error-value": SettingError,
    "error-unsupported": UnsupportedError,
    "error-unstable": UnstableError,
    "error-diverged": DivergedError,
    "error-no-input": FileError,
    "error-create": FileError,
    "error-write": FileError,
    "error-memory": OutOfMemoryError,
    "error-numerical": NumericalError,
    "error-interrupted": InterruptError,
    "error-incompatible": IncompatibleError,
    "error-ambiguous": AmbiguousError,
}
