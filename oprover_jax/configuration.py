"""Configuration files: a Python file whose `experiment()` returns a frozen dataclass, and overrides such as `optimizer.peak_lr=1e-4`."""

import dataclasses
import difflib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from oprover_jax.errors import InputError

Kind = TypeVar("Kind")


def load(path: Path, kind: type[Kind] | tuple[type[Kind], ...], overrides: Sequence[str] = ()) -> Kind:
    """Return the result of `experiment()` in a configuration file, with overrides applied.

    Args:
      path: Python file.
      kind: Expected class of the configuration, or several.
      overrides: Overrides of the form `key.path=value`.

    Raises:
      InputError: The file has no `experiment()` or returns another class, or an override has an unknown key, a value of the wrong type or
        an invalid combination of values.
    """
    if not path.is_file():
        raise InputError(f"configuration {path} does not exist; see configs/ for the shipped ones")
    spec = importlib.util.spec_from_file_location("oprover_experiment", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        configuration = module.experiment()
    except Exception as error:  # user code can raise anything
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise InputError(f"configuration {path}: {reason}") from error
    if not isinstance(configuration, kind):
        needed = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise InputError(f"configuration {path} returns {type(configuration).__name__}, but this command needs {needed}; give another file")
    return apply_overrides(configuration, overrides)


def apply_overrides(configuration: Kind, overrides: Sequence[str]) -> Kind:
    """Return a copy with all `key.path=value` of `overrides` applied together; a later one of the same key wins.

    Each value is parsed as JSON, or taken as text if it is not JSON.
    """
    changes: dict[str, Any] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"--set {override!r} has no '='; write it as key.path=value")
        _put(changes, key, _parsed(text))
    try:
        changed: Kind = _replaced(configuration, changes, "")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--set {' '.join(overrides)}: {error}") from error
    return changed


def apply_override(configuration: Kind, override: str) -> Kind:
    """Return a copy with one `key.path=value` applied."""
    return apply_overrides(configuration, [override])


def decode_path(kind: type, value: Any) -> Any:
    """Return the path in a JSON text, for `dec_hook` of msgspec, which knows no paths."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"cannot decode {kind.__name__}")


class _Value:
    """The new value of a key; any other entry of the changes is a part of the configuration with changes of its own."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _parsed(text: str) -> _Value:
    try:
        return _Value(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return _Value(text)


def _put(changes: dict[str, Any], key: str, value: _Value) -> None:
    *path, last = key.split(".")
    for name in path:
        inner = changes.get(name)
        if not isinstance(inner, dict):
            inner = changes[name] = {}
        changes = inner
    changes[last] = value


def _replaced(node: Any, changes: Mapping[str, Any], where: str) -> Any:
    """Return a copy of a part of the configuration, whose key is `where`, with `changes` applied."""
    new: dict[str, Any] = {}
    fields = {f.name: f for f in dataclasses.fields(node)} if dataclasses.is_dataclass(node) else {}
    for name, change in changes.items():
        key = f"{where}.{name}" if where else name
        if isinstance(node, dict) and name in node and isinstance(change, dict):
            new[name] = _replaced(node[name], change, key)
            continue
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(fields) or 'none'}"
            raise InputError(f"unknown configuration key {_whole(key, change)!r}: no field {name!r}; {hint}")
        if isinstance(change, dict):
            new[name] = _replaced(getattr(node, name), change, key)
            continue
        try:
            new[name] = msgspec.convert(change.value, fields[name].type, strict=True, dec_hook=decode_path)
        except msgspec.ValidationError as error:
            raise InputError(f"configuration key {key!r} has the invalid value {change.value!r}: {error}") from error
    return node | new if isinstance(node, dict) else dataclasses.replace(node, **new)


def _whole(key: str, change: Any) -> str:
    """Return the first key that a change sets."""
    while isinstance(change, dict):
        name, change = next(iter(change.items()))
        key = f"{key}.{name}"
    return key
