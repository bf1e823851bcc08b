"""Configuration files: a Python file whose `experiment()` returns a frozen dataclass, and changes such as `optimizer.peak_lr=1e-4`."""

import dataclasses
import difflib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from oprover_jax.errors import InputError

Kind = TypeVar("Kind")


def load(path: Path, kind: type[Kind], changes: Sequence[str] = ()) -> Kind:
    """What `experiment()` of the file at `path` returns, with `changes` applied.

    Raises:
      InputError: for a file without `experiment()`, one that describes something else than a `kind`, an unknown key, a value
        of the wrong type, an impossible combination.
    """
    if not path.is_file():
        raise InputError(f"configuration {path} does not exist; the shipped ones are in configs/")
    spec = importlib.util.spec_from_file_location("oprover_experiment", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found = module.experiment()
    except Exception as error:  # whatever a file of the user's own can raise
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise InputError(f"configuration {path}: {reason}") from error
    if not isinstance(found, kind):
        raise InputError(
            f"configuration {path} describes {type(found).__name__}, and this command takes {kind.__name__}; name another file"
        )
    return apply_overrides(found, changes)


def apply_overrides(configuration: Kind, changes: Sequence[str]) -> Kind:
    """A copy with every `key.path=value` of `changes` applied."""
    for change in changes:
        configuration = apply_override(configuration, change)
    return configuration


def apply_override(configuration: Kind, change: str) -> Kind:
    """A copy with one `key.path=value` applied; the value is read as JSON, or as text where it is none."""
    key, equals, text = change.partition("=")
    if not equals:
        raise InputError(f"--set {change!r} has no '='; write it as key.path=value")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    try:
        changed: Kind = _replaced(configuration, key.split("."), value, key)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--set {change}: {error}") from error
    return changed


def _replaced(node: Any, path: Sequence[str], value: Any, key: str) -> Any:
    if isinstance(node, dict) and path[0] in node and len(path) > 1:
        return node | {path[0]: _replaced(node[path[0]], path[1:], value, key)}
    fields = {f.name: f for f in dataclasses.fields(node)} if dataclasses.is_dataclass(node) else {}
    if path[0] not in fields:
        near = difflib.get_close_matches(path[0], fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(fields) or 'nothing'}"
        raise InputError(f"unknown configuration key {key!r}: there is no {path[0]!r}; {hint}")
    if len(path) > 1:
        new = _replaced(getattr(node, path[0]), path[1:], value, key)
    else:
        try:
            new = msgspec.convert(value, fields[path[0]].type, strict=True)
        except msgspec.ValidationError as error:
            raise InputError(f"configuration key {key!r} cannot be {value!r}: {error}") from error
    return dataclasses.replace(node, **{path[0]: new})
