"""Write docs/reference/configuration.md and docs/reference/cli.md from the dataclasses and the parsers.

Run `python docs/generate.py` after a change of a configuration field, a default, a docstring or an option. A test compares the files.
"""

import ast
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import json
import os
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHOWN = ("(", "'", "field(")  # how defaults start whose value is shown, whatever else stands in them
WIDTH = 80  # columns of the help texts
HEAD = "<!-- Written by docs/generate.py; do not edit. -->\n\n"

# (heading, what the section is for, root classes); nested dataclasses are found from the roots
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Experiment", "`oprover iterate --config FILE`", ("oprover_jax.posttraining.experiment.Experiment",)),
    ("Training job", "`oprover cpt`, `sft`, `rl` and `compile --config FILE`", ("oprover_jax.training.job.TrainingJob",)),
    (
        "Packing",
        "`oprover pack --config FILE`; `sources` holds any of the source classes",
        (
            "oprover_jax.data.pack_config.PackConfig",
            "oprover_jax.data.sources.Text",
            "oprover_jax.data.sources.Files",
            "oprover_jax.data.sources.Proofs",
            "oprover_jax.data.trajectories.Trajectories",
            "oprover_jax.agent.prompted_source.Prompted",
            "oprover_jax.agent.prompted_source.Conversations",
        ),
    ),
    ("Corpus build", "`oprover corpus build --config FILE` and `oprover corpus ingest`", ("oprover_jax.ingest.config.BuildConfig",)),
    (
        "Mining and formalization",
        "`oprover corpus train-classifier`, `mine` and `formalize`",
        (
            "oprover_jax.autoformalize.mining.classifier.ClassifierConfig",
            "oprover_jax.autoformalize.mining.mine.MineConfig",
            "oprover_jax.autoformalize.config.FormalizeConfig",
        ),
    ),
    (
        "Services",
        "keyword arguments in Python; the commands expose the most common ones as options",
        ("oprover_jax.server.settings.ServerSettings", "lean_worker.service.settings.ServiceSettings"),
    ),
    (
        "Library",
        "classes that are configured in Python only",
        ("lean_worker.session.Limits", "oprover_jax.retrieval.index.IndexConfig", "oprover_jax.corpus.export.ExportConfig"),
    ),
)


@dataclasses.dataclass(frozen=True)
class Described:
    """What the source of a dataclass says: its prose, the text of each field, annotation and default as written."""

    prose: str
    texts: dict[str, str]
    annotations: dict[str, str]
    defaults: dict[str, str]


def describe(cls: type) -> Described:
    """Read the source of `cls`: attribute docstrings, an `Attributes:` section, else the clauses that name a field."""
    node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(node, ast.ClassDef)
    texts: dict[str, str] = {}
    annotations: dict[str, str] = {}
    defaults: dict[str, str] = {}
    last = ""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            last = statement.target.id
            annotations[last] = ast.unparse(statement.annotation)
            defaults[last] = ast.unparse(statement.value) if statement.value is not None else ""
        elif last and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            texts[last] = " ".join(str(statement.value.value).split())
        else:
            last = ""
    prose, _, listed = re.sub(r"\n(Attributes|Args):\n", "\0", inspect.getdoc(cls) or "", count=1).partition("\0")
    entries = re.split(r"^ {2,4}(\w+): ?", textwrap.dedent(listed).replace("\n", "\n    ").join(("    ", "")), flags=re.MULTILINE)
    for name, text in zip(entries[1::2], entries[2::2]):
        texts.setdefault(name, " ".join(text.split()))
    return Described(_taken_out(prose, annotations, texts), texts, annotations, defaults)


def _taken_out(prose: str, fields: dict[str, str], texts: dict[str, str]) -> str:
    """Move the clauses of `prose` that name a field to `texts`; return the sentences that name none, with the first one always."""
    kept = []
    for number, sentence in enumerate(re.split(r"(?<=[.!?])\s+(?=[A-Z`\"])", " ".join(prose.split()))):
        found = [(clause.strip(" ."), re.findall(r"`([a-z_0-9]+)`", clause)) for clause in re.split(r"; (?![^()]*\))", sentence)]
        named = [(text, name) for text, names in found for name in dict.fromkeys(names) if name in fields]
        if number == 0 or not named:
            kept.append(sentence)
        if number > 0 or sentence.startswith("`"):
            for text, name in named:
                before = texts.get(name, "")
                texts[name] = text if not before else before if text in before else f"{before}. {text}"
    return " ".join(kept)


def nested(hint: Any) -> Iterator[type]:
    """Yield the dataclasses in a type."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for argument in typing.get_args(hint):
        if not isinstance(argument, str | int | float):
            yield from nested(argument)


def collect(root: type) -> dict[type, list[str]]:
    """Return the dataclasses below `root` with the key prefixes under which `--set` reaches them, in order of discovery."""
    found: dict[type, list[str]] = {}

    def visit(cls: type, prefix: str) -> None:
        found.setdefault(cls, []).append(prefix)
        for name, hint in typing.get_type_hints(cls).items():
            for inner in nested(hint):
                visit(inner, f"{prefix}{name}.")

    visit(root, "")
    return found


def shown_type(hint: Any, written: str) -> str:
    """Return the type as Markdown: the values of a Literal, otherwise the annotation as written."""
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{value!r}`".replace("'", '"') for value in typing.get_args(hint))
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join(shown_type(part, _name(part)) for part in typing.get_args(hint))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return f"[`{hint.__name__}`](#{hint.__name__.lower()})"
    return f"`{written}`".replace("|", "\\|")


def _name(hint: Any) -> str:
    return "None" if hint is type(None) else hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def shown_default(field: dataclasses.Field[Any], written: str) -> str:
    """Return the default as Markdown: its value where it is short and the same on every machine, otherwise the source."""
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "**required**"
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if dataclasses.is_dataclass(value):
        return "its defaults"
    shown = repr(value)
    computed = field.default_factory is dataclasses.MISSING and re.search(r"[(*<]", written) and not written.startswith(SHOWN)
    if computed or len(shown) > 60:
        shown = re.sub(r"^field\(default_factory=lambda: (.*)\)$", r"\1", written)
    return f"`{shown if len(shown) <= 90 else shown[:87] + '...'}`".replace("|", "\\|")


def origin(cls: type, name: str) -> str:
    """Return who chose the default of a field: what docs/origins.json says of the field, otherwise of its class."""
    said = origins()
    return said.get(f"{cls.__name__}.{name}") or said.get(cls.__name__, "")


def class_page(cls: type, prefixes: list[str]) -> str:
    """Return the section of one dataclass."""
    described, hints = describe(cls), typing.get_type_hints(cls)
    lines = [f"### {cls.__name__}", "", f"`{cls.__module__}.{cls.__name__}`", "", _escaped(described.prose), ""]
    keys = [prefix for prefix in prefixes if prefix]
    if keys:
        lines += ["Keys: " + ", ".join(f"`{key}*`" for key in keys), ""]
    rows = []
    for field in dataclasses.fields(cls):
        name = field.name
        text = described.texts.get(name) or _known(cls, name, hints[name])
        typed = shown_type(hints[name], described.annotations.get(name, _name(hints[name])))
        default = shown_default(field, described.defaults.get(name, ""))
        rows.append((f"`{name}`", typed, default, origin(cls, name), _escaped(text[:1].upper() + text[1:])))
    with_origin = any(row[3] for row in rows)
    titles = ("Field", "Type", "Default", "Origin", "Description")
    for row in (titles, ("---",) * 5, *rows):
        lines.append("| " + " | ".join(cell for i, cell in enumerate(row) if with_origin or i != 3) + " |")
    return "\n".join(lines) + "\n"


def _known(cls: type, name: str, hint: Any) -> str:
    """Return what docs/fields.json says of a field that its docstring does not describe, else the first sentence about its class."""
    glossary = fields()
    inner = next(iter(nested(hint)), None)
    of_class = describe(inner).prose.split(". ")[0].rstrip(".") if inner is not None else ""
    return glossary.get(f"{cls.__name__}.{name}") or of_class or glossary.get(name, "")


@functools.cache
def fields() -> dict[str, str]:
    """Return docs/fields.json: descriptions by `Class.field` or `field`."""
    return dict(json.loads((HERE / "fields.json").read_text(encoding="utf-8")))


@functools.cache
def origins() -> dict[str, str]:
    """Return docs/origins.json: where defaults come from, by `Class.field` or `Class`."""
    return dict(json.loads((HERE / "origins.json").read_text(encoding="utf-8")))


def _escaped(text: str) -> str:
    """Keep pipes and angle brackets of a docstring from becoming cells and tags."""
    parts = re.split(r"(`[^`]*`)", text)
    outside = [part if i % 2 else part.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_") for i, part in enumerate(parts)]
    return "".join(outside).replace("|", "\\|")


def configuration() -> str:
    """Return the configuration reference."""
    out = [
        HEAD + "# Configuration reference\n",
        "A configuration is a Python file whose `experiment()` returns one of these dataclasses; the shipped files are in `configs/`.\n",
        "Change a single field with `--set key.path=value`. The value is read as JSON, otherwise as text. An unknown key or a "
        "value of the wrong type is an error before any work starts.\n",
        "*Origin* says whether a default is published, and where, or a choice of this project (ours). It is empty where neither matters.\n",
    ]
    done: set[type] = set()
    for heading, purpose, roots in SECTIONS:
        out.append(f"## {heading}\n\n{purpose[0].upper()}{purpose[1:]}.\n")
        shared: list[type] = []
        for root in roots:
            module, _, name = root.rpartition(".")
            for cls, prefixes in collect(getattr(importlib.import_module(module), name)).items():
                if cls in done:
                    shared.append(cls)
                    continue
                done.add(cls)
                out.append(class_page(cls, prefixes))
        if shared:
            links = ", ".join(f"[`{cls.__name__}`](#{cls.__name__.lower()})" for cls in dict.fromkeys(shared))
            out.append(f"Also used here and described above: {links}.\n")
    return "\n".join(out)


def help_of(app: Any, prog: str, words: list[str]) -> str:
    """Return the help text of one verb, as a terminal of WIDTH columns without colours shows it."""
    out = io.StringIO()
    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR", "TERM")}
    os.environ |= {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            app.cli(prog=prog, description=f"The command `{prog}`.", args=[*words, "--help"])
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
    lines = [line.rstrip() for line in out.getvalue().strip().splitlines()]
    return "\n".join(line if line.startswith((" ", "usage:")) else textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in lines)


def verbs(app: Any) -> Iterator[tuple[str, ...]]:
    """Yield the verbs of an app, those of nested apps after their group."""
    for name, (target, _) in app.commands.items():
        yield (name,)
        if hasattr(target, "commands"):
            yield from ((name, *inner) for inner in verbs(target))


def cli() -> str:
    """Return the command-line reference."""
    from lean_worker.cli import app as lean_app
    from oprover_jax.cli.main import app as oprover_app

    out = [HEAD + "# Command-line reference\n", "Exit codes of `oprover`: 0 success; 1 the work failed; 2 bad input; 130 interrupted.\n"]
    for prog, app in (("oprover", oprover_app), ("lean-worker", lean_app)):
        out.append(f"## {prog}\n")
        for words in verbs(app):
            text = help_of(app, prog, list(words))
            out.append(f"### {' '.join((prog, *words))}\n\n```text\n{text}\n```\n")
    return "\n".join(out)


def pages() -> dict[Path, str]:
    """Return the generated pages by path."""
    return {HERE / "reference" / "configuration.md": configuration(), HERE / "reference" / "cli.md": cli()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(HERE.parent)}")
