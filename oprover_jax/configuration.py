"""Configuration files: a Python file whose `experiment()` returns a frozen dataclass, and overrides such as `optimizer.peak_lr=1e-4`."""

import dataclasses
import difflib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from oprover_jax.errors import InputError

Kind = TypeVar("Kind")


def load(path: Path, kind: type[Kind], overrides: Sequence[str] = ()) -> Kind:
    """Return the result of `experiment()` in a configuration file, with overrides applied.

    Args:
      path: Python file.
      kind: Expected class of the configuration.
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
        raise InputError(
            f"configuration {path} returns {type(configuration).__name__}, but this command needs {kind.__name__}; give another file"
        )
    return apply_overrides(configuration, overrides)


def apply_overrides(configuration: Kind, overrides: Sequence[str]) -> Kind:
    """Return a copy with every `key.path=value` of `overrides` applied."""
    for override in overrides:
        configuration = apply_override(configuration, override)
    return configuration


def apply_override(configuration: Kind, override: str) -> Kind:
    """Return a copy with one `key.path=value` applied; the value is parsed as JSON, or taken as text if it is not JSON."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override!r} has no '='; write it as key.path=value")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    try:
        changed: Kind = _replaced(configuration, key.split("."), value, key)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--set {override}: {error}") from error
    return changed


def _replaced(node: Any, path: Sequence[str], value: Any, key: str) -> Any:
    if isinstance(node, dict) and path[0] in node and len(path) > 1:
        return node | {path[0]: _replaced(node[path[0]], path[1:], value, key)}
    fields = {f.name: f for f in dataclasses.fields(node)} if dataclasses.is_dataclass(node) else {}
    if path[0] not in fields:
        near = difflib.get_close_matches(path[0], fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(fields) or 'none'}"
        raise InputError(f"unknown configuration key {key!r}: no field {path[0]!r}; {hint}")
    if len(path) > 1:
        new = _replaced(getattr(node, path[0]), path[1:], value, key)
    else:
        try:
            new = msgspec.convert(value, fields[path[0]].type, strict=True)
        except msgspec.ValidationError as error:
            raise InputError(f"configuration key {key!r} has the invalid value {value!r}: {error}") from error
    return dataclasses.replace(node, **{path[0]: new})
