"""The settings: the keys of a config, flat, as keyword arguments, and back."""
from __future__ import annotations

import ctypes
from typing import Any, Mapping, Sequence, TypedDict

import numpy as np

from . import _header
from ._errors import SettingError
from ._library import choice, library


class Keys(TypedDict, total=False):
    """Keys of a config, by themselves: section names are left out. None is as left out.

    Times are continuum times, t = learning_rate * step; rates are inverse continuum times; w is the unit of weights.
    """

    # data, where X and Y are not given
    source: str
    """"gaussian" or "file" """
    samples: int
    """P"""
    input_spectrum: Sequence[float]
    """eigenvalues of the inputs' covariance, repeated to fill N_0"""
    input_power_law: float
    """instead of it: eigenvalue k is k^-input_power_law, scaled to mean 1"""
    teacher: str
    """"gaussian", "none" or "low-rank" """
    teacher_rank: int
    label_noise: float
    """standard deviation s of the targets' noise"""
    file: str
    """HDF5 file with X (P, N_0) and Y (P, N_L)"""
    # network
    widths: Sequence[int]
    """N_0 ... N_L"""
    init_scale: float
    """weights start as N(0, init_scale^2 / fan-in)"""
    relax: bool
    """False: linearize where the weights are, an error if the gradient there is not 0"""
    start: str
    """which of the minima of the same map: "descent", "balanced" or "noise-balanced" """
    # training
    learning_rate: float
    """lambda: of the mean over the batch of |error|^2 / 2. MSELoss() with lr is this with 2 lr / N_L"""
    batch_size: int
    """S"""
    sampling: str
    """"replacement", "without-replacement" or "epoch" """
    momentum: float
    """beta, in [0, 1); that of torch.optim.SGD"""
    weight_decay: float
    """gamma: gamma |theta|^2 / 2 in the loss"""
    # theory
    noise: str
    """"empirical", "population" or "isotropic" """
    equation: str
    """"continuum", "discrete", "exact", "closure" or "multiplicative" """
    rank_tolerance: float
    """relative to the largest eigenvalue of H; left out: chosen from the largest gap"""
    modes: int
    """leading modes of a layer that is too large for all"""
    flatness_factor: float
    """flatness is the distance between the points with L = factor L*"""
    # simulation
    dynamics: str
    """"sgd" or "langevin" """
    langevin_noise: str
    """"state" or "frozen" """
    time_step: float
    """of Langevin dynamics, continuum time"""
    protocol: str
    """"ensemble" or "window-pca" """
    uncoupled: bool
    """train each layer alone too, with the others frozen"""
    replicas: int
    """left out: chosen from the relaxation rates and the tolerance, and doubled while something is open"""
    burn_in: float
    """continuum time; left out: chosen"""
    window: float
    """continuum time; left out: chosen"""
    # verify
    tolerance: float
    """relative deviation that still counts as agreement"""
    level: float
    """family-wise false-alarm rate"""
    seed: int


class Settings(Keys, total=False):
    """All keys; those of `Keys` and"""

    weights: str
    """HDF5 file with W1 ... WL, shape (N_l, N_{l-1})"""


_LISTS = {"input_spectrum": "input_spectrum_count", "widths": "width_count"}
_COUNTS = set(_LISTS.values())


def _places() -> dict[str, tuple[str | None, str, Any]]:
    """Section, C struct and type of every key; keys are unique."""
    places: dict[str, tuple[str | None, str, Any]] = {}
    for section, kind in _header.sgf_settings._fields_:
        if section == "reserved":
            continue
        if not issubclass(kind, ctypes.Structure):
            places[section] = (None, "sgf_settings", kind)
            continue
        for key, inner in kind._fields_:  # type: ignore[misc]
            if key not in _COUNTS and key != "reserved":
                places[key] = (section, kind.__name__, inner)
    return places


_PLACES = _places()


def _convert(key: str, name: str, value: Any, kind: Any) -> Any:
    """`value` as the C type of the key, or an error that names the key."""
    enumeration = _header.ENUMERATED.get((name, key.rpartition(".")[2]))
    if enumeration is not None:
        return choice(key, enumeration, value)
    if kind is ctypes.c_char_p:
        return str(value).encode()
    if kind is ctypes.c_bool:
        if not isinstance(value, (bool, np.bool_)):
            raise SettingError(f"{key} is {value!r}: True or False is wanted")
        return bool(value)
    if kind in (ctypes.c_size_t, ctypes.c_uint64):
        if isinstance(value, bool) or int(value) != value or not 0 <= int(value) < 2**64:
            raise SettingError(f"{key} is {value!r}: a whole number, not negative, is wanted")
        if kind is ctypes.c_size_t and value == 0:
            raise SettingError(f"{key} is 0: a whole number, 1 or more, is wanted")
        return int(value)
    number = float(value)
    if np.isnan(number):
        raise SettingError(f"{key} is NaN")
    return number


class SettingsStruct:
    """The C settings, with the arrays and texts that they point to; the library copies what it keeps."""

    def __init__(self, settings: dict[str, Any]):
        self.struct = _header.sgf_settings()
        self.kept: list[Any] = []
        library.sgf_settings_init(ctypes.byref(self.struct))
        for key, value in settings.items():
            if key not in _PLACES:
                raise SettingError(f"{key} is no key of a config: there are {', '.join(sorted(_PLACES))}")
            if value is not None:
                self._set(key, value)

    def _set(self, key: str, value: Any) -> None:
        section, name, kind = _PLACES[key]
        target = self.struct if section is None else getattr(self.struct, section)
        full = key if section is None else f"{section}.{key}"
        if key in _LISTS:
            entries = [_convert(full, name, entry, kind._type_) for entry in value]
            array = (kind._type_ * len(entries))(*entries)
            self.kept.append(array)
            setattr(target, key, ctypes.cast(array, kind))
            setattr(target, _LISTS[key], len(entries))
        else:
            setattr(target, key, _convert(full, name, value, kind))


def read_settings(struct: _header.sgf_settings) -> Settings:
    """The settings back from C; what is absent or left to be chosen is left out."""
    found: dict[str, Any] = {}
    for key, (section, name, kind) in _PLACES.items():
        source = struct if section is None else getattr(struct, section)
        value = getattr(source, key)
        enumeration = _header.ENUMERATED.get((name, key))
        if key in _LISTS:
            value = value[:getattr(source, _LISTS[key])] or None
        elif enumeration is not None:
            value = _header.ENUMERATIONS[enumeration][value]
        elif isinstance(value, bytes):
            value = value.decode()
        absent = value is None or (kind is ctypes.c_size_t and value == 0) or value != value
        if not absent:
            found[key] = value
    return found  # type: ignore[return-value]


def settings_text(settings: Mapping[str, Any]) -> str:
    """The settings as a config, YAML."""
    lines: list[str] = []
    last: str | None = None
    for key in (key for key in _PLACES if key in settings):  # by sections
        value = settings[key]
        section = _PLACES[key][0]
        if section is not None and section != last:
            lines.append(f"{section}:")
            last = section
        if isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, str) and key not in ("file", "weights"):
            text = value
        elif isinstance(value, str):
            text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        else:
            text = repr(value)
        lines.append(f"{'  ' if section is not None else ''}{key}: {text}")
    return "\n".join(lines) + "\n"
