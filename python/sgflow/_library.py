"""The shared library: found, loaded and checked; failures as exceptions; objects and arrays that live long enough."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
import weakref
from typing import Any, Callable, NoReturn, Sequence

import numpy as np

from . import _errors, _header
from ._version import __version__

Array = np.ndarray[Any, np.dtype[np.float64]]
_real = ctypes.POINTER(ctypes.c_double)


def _places() -> list[str]:
    """Where the library may be: SGFLOW_LIBRARY alone if it is set; the build folder of a source tree; the system."""
    given = os.environ.get("SGFLOW_LIBRARY")
    if given:
        return [given]
    root = pathlib.Path(__file__).resolve().parents[2]
    built = root / "build" / ".libs" / "libsgflow.so"
    places = [str(built)] if (root / "include" / "sgflow.h").is_file() and built.is_file() else []
    found = ctypes.util.find_library("sgflow")
    return places + ([found] if found else []) + ["libsgflow.so.1", "/usr/local/lib/libsgflow.so.1"]


def _load() -> ctypes.CDLL:
    reasons = []
    for place in _places():
        try:
            return ctypes.CDLL(place)
        except OSError as error:
            reasons.append(str(error))
    raise ImportError("libsgflow is not found: install it, or name the file in the environment variable "
                      f"SGFLOW_LIBRARY ({'; '.join(reasons)})")


def _declare(loaded: ctypes.CDLL) -> None:
    """Give every function of the header its types, and refuse a library of another MAJOR.MINOR version."""
    loaded.sgf_version.restype = ctypes.c_char_p
    found = loaded.sgf_version().decode()
    wanted = [str(_header.SGF_VERSION_MAJOR), str(_header.SGF_VERSION_MINOR)]
    if found.split(".")[:2] != wanted:
        raise ImportError(f"libsgflow is of version {found}, this package is for {__version__}: structs may differ")
    for name, (result, arguments) in _header.FUNCTIONS.items():
        function = getattr(loaded, name, None)
        if function is None:
            raise ImportError(f"libsgflow has no function {name}: it is older than this package")
        function.restype, function.argtypes = result, arguments


library = _load()
_declare(library)
library.omp_get_max_threads.restype = ctypes.c_int
# GSL's default is to abort the program. In the library's own program it is off, and its callers check what GSL returns.
library.gsl_set_error_handler_off()


# ---------------------------------------------------------------------------- failures


def raise_error(error: _header.sgf_error, **known: Any) -> NoReturn:
    status = _header.ENUMERATIONS["sgf_status"][error.status]
    exception = _errors.BY_STATUS[status](error.message.decode("utf-8", "replace"))
    exception.status = status
    for name, value in known.items():
        setattr(exception, name, value)
    raise exception


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Call a fallible function, whose last argument is the error; raise what it reports."""
    error = _header.sgf_error()
    if function(*arguments, ctypes.byref(error)) != 0:
        raise_error(error)


# ----------------------------------------------------------------------------- objects


class Handle:
    """An object of the library: freed with its function when nothing refers to it any more, arrays in it included."""

    def __init__(self, pointer: int, free: Callable[[int], None] | None, keep: Any = None):
        self.pointer = pointer
        self.keep = keep  # what must not be freed before
        if free is not None:
            weakref.finalize(self, free, pointer).atexit = False  # not while an array at exit may still refer to it


def make(function: Callable[..., int], free: Callable[[int], None], *arguments: Any, keep: Any = None) -> Handle:
    """Call `function(*arguments, object *, error)` and own what it made."""
    pointer = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(pointer))
    assert pointer.value is not None
    return Handle(pointer.value, free, keep)


# ------------------------------------------------------------------------------ arrays


class _Memory:
    """Float64 in memory of the library, as NumPy wants to hear of it; keeps the owner alive."""

    def __init__(self, address: int, shape: tuple[int, ...], owner: Any):
        self.owner = owner
        self.__array_interface__ = {"data": (address, True), "shape": shape, "typestr": np.dtype(float).str,
                                    "version": 3}


def view(pointer: Any, shape: tuple[int, ...], owner: Any) -> Array:
    """A read-only array of the library's own memory, without a copy, that keeps `owner` alive."""
    return np.asarray(_Memory(ctypes.cast(pointer, ctypes.c_void_p).value or 0, shape, owner))


def reals(name: str, values: Any, *shape: int | None) -> Array:
    """`values` as a contiguous float64 array, itself if it is one; None in the shape is any length."""
    if hasattr(values, "detach"):  # a torch.Tensor, also one that requires a gradient
        values = values.detach().cpu().numpy()
    if np.iscomplexobj(values):
        raise _errors.SettingError(f"{name} is complex")
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != len(shape) or any(want is not None and got != want for got, want in zip(array.shape, shape)):
        wanted = ", ".join("*" if want is None else str(want) for want in shape)
        wanted += "," if len(shape) == 1 else ""
        raise _errors.SettingError(f"{name} has shape {array.shape}, ({wanted}) is wanted")
    return array


def address(array: Array | None) -> Any:
    """The address of an array for an argument `double *`; the caller holds the array."""
    return None if array is None else array.ctypes.data_as(_real)


# ----------------------------------------------------------------------------- numbers


def numbers(function: Callable[..., int], *arguments: Any) -> dict[str, float | int]:
    """What sgf_*_numbers has: counts and flags are int."""
    table = (_header.sgf_number * _header.SGF_MOST_NUMBERS)()
    count = function(*arguments, table, len(table))
    assert count <= len(table)
    return {entry.name.decode(): int(entry.value) if entry.whole else entry.value for entry in table[:count]}


def fields(struct: ctypes.Structure) -> dict[str, Any]:
    """A struct as a dict: texts decoded, enumerators by name, nested structs as dicts; pointers to arrays left out."""
    result: dict[str, Any] = {}
    for name, kind in struct._fields_:  # type: ignore[misc]
        if name == "reserved":
            continue
        value = getattr(struct, name)
        enumeration = _header.ENUMERATED.get((type(struct).__name__, name))
        if enumeration is not None:
            value = _header.ENUMERATIONS[enumeration][value]
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, ctypes.Structure):
            value = fields(value)
        elif isinstance(value, ctypes._Pointer):
            continue
        result[name] = value
    return result


def choice(key: str, enumeration: str, value: str) -> int:
    """The enumerator of a name; an error names the key and what there is."""
    names: Sequence[str] = _header.ENUMERATIONS[enumeration]
    if value not in names:
        raise _errors.SettingError(f"{key} is {value!r}: it must be one of {', '.join(names)}")
    return names.index(value)


def version() -> str:
    """Version of the library, "MAJOR.MINOR.PATCH"."""
    return library.sgf_version().decode()


def libraries() -> dict[str, str]:
    """Names and versions of the numerical libraries in use."""
    text = ctypes.create_string_buffer(4096)
    library.sgf_libraries(text, len(text))
    lines = (line.partition(" ") for line in text.value.decode().splitlines())
    return {name: rest for name, _, rest in lines}
