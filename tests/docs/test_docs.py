"""The documentation: commands parse with the real parsers, marked blocks run, links resolve, generated references are fresh."""

import contextlib
import functools
import importlib.util
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tyro

from lean_worker.cli import app as lean_app
from oprover_jax.autoformalize.config import FormalizeConfig
from oprover_jax.cli.main import app as oprover_app
from oprover_jax.configuration import apply_overrides, load
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.ingest.config import BuildConfig
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.training.job import TrainingJob

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "launch" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
APPS: dict[str, Any] = {"oprover": oprover_app, "lean-worker": lean_app}
CONFIGURATIONS: dict[str, type] = {
    "iterate": Experiment,
    "pack": PackConfig,
    "cpt": TrainingJob,
    "sft": TrainingJob,
    "rl": TrainingJob,
    "compile": TrainingJob,
    "build": BuildConfig,
    "formalize": FormalizeConfig,
}
ORDINARY = frozenset({"cat", "cd", "curl", "export", "git", "mkdir", "mkdocs", "printf", "serve", "source", "touch"})
RUNS = "<!-- runs in tests -->"
NOT_RUNNABLE = re.compile(r"<!-- not runnable here: .+ -->")
HOME = re.compile(r"^(configs|bench|launch|docs|tests|oprover_jax|lean_worker)/")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page and line, its language, its text, and the comment directly above it."""

    page: Path
    line: int
    language: str
    text: str
    comment: str

    @property
    def runs(self) -> bool:
        return self.comment == RUNS

    @property
    def runnable(self) -> bool:
        return not NOT_RUNNABLE.fullmatch(self.comment)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, without the indentation of their fence."""
    lines = page.read_text(encoding="utf-8").split("\n")
    start = None
    for number, line in enumerate(lines):
        opening = re.fullmatch(r"(\s*)```(\w*)", line)
        if opening and start is None:
            start, indent, language = number, opening[1], opening[2]
        elif opening and start is not None:
            text = "\n".join(one.removeprefix(indent) for one in lines[start + 1 : number])
            yield Block(page, start + 1, language, text, lines[start - 1].strip())
            start = None
    assert start is None, f"{page}: a block is not closed"


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language in ("bash", "console", "sh")]
PYTHON = [block for block in BLOCKS if block.language == "python"]
MARKED = [block for block in BLOCKS if block.runs]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of a script, without here-documents, redirections and leading assignments."""
    text = re.sub(r"(<<'?(\w+)'?.*)\n(?:.*\n)*?\2$", r"\1", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words = words[1:]
        end = next((i for i, word in enumerate(words) if word.startswith((">", "<<", "|", "&&"))), len(words))
        if words[:end]:
            yield words[:end]


def without_effect(function: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that is parsed like `function` and does nothing."""

    @functools.wraps(function)
    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    return nothing


def parse(program: str, words: list[str]) -> None:
    """Parse a command with the parser of its verb. Raises AssertionError with the parser's message."""
    app, given = APPS[program], words
    while hasattr(app, "commands"):
        if given in ([], ["--help"], ["-h"]):
            return
        assert given[0] in app.commands, f"{program} has no verb {given[0]!r}"
        app, given = app.commands[given[0]][0], given[1:]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            tyro.cli(without_effect(app), args=given)
    except SystemExit as ended:
        assert not ended.code, f"{program} {shlex.join(words)}\n{said.getvalue()}"
    if program == "oprover":
        check_overrides(words)


def check_overrides(words: list[str]) -> None:
    """Apply the overrides of a command to its configuration, if both are there."""
    overrides = [value for option, value in pairwise(words) if option == "--set"]
    files = [ROOT / value for option, value in pairwise(words) if option == "--config"]
    kind = CONFIGURATIONS.get(words[1] if words[0] == "corpus" else words[0])
    if kind is not None and files:
        load(files[0], kind, overrides)
    elif words[:2] == ["corpus", "ingest"]:
        apply_overrides(load(ROOT / "configs" / "corpus_mini.py", BuildConfig), overrides)


def check_options(words: list[str], source: str) -> None:
    """Every option of a script must stand in its source, as an option or as a parameter."""
    for word in words:
        if word.startswith("--") and word not in ("--", "--help"):
            name = word.removeprefix("--").partition("=")[0]
            assert word in source or re.search(rf"\b{name.replace('-', '_')}:", source), f"no option {word}"


def check_command(words: list[str], runnable: bool) -> None:
    """Check one command: its program, options and, if it is runnable here, the files that it names."""
    program = words[0].removeprefix(".venv/bin/")
    if program in APPS:
        parse(program, words[1:])
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        assert not unknown, f"the Makefile has no target {unknown[0]}"
    elif program == "pip":
        check_requirements(words)
    elif program == "python":
        check_options(words[2:], (ROOT / words[1]).read_text(encoding="utf-8"))
    elif program.startswith("launch/"):
        check_launch(words)
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in words[1:] if not word.startswith("-")), words
    elif runnable:
        assert program in ORDINARY, f"no check for the program {program!r}; add one, or mark the block as not runnable"
    for word in words:
        if HOME.match(word):
            assert (ROOT / word).exists(), f"{word} does not exist"


def check_requirements(words: list[str]) -> None:
    """The extras and requirement files of `pip install` must exist."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in words[2:]:
        named = re.fullmatch(r"\.\[(.*)\]", word)
        assert not named or set(named[1].split(",")) <= extras.keys(), f"unknown extra in {word}"
        assert not word.startswith("requirements") or (ROOT / word).is_file(), f"{word} does not exist"


def check_launch(words: list[str]) -> None:
    """The options of a launch script must be its own; the command that it starts must parse."""
    script = (ROOT / words[0]).read_text(encoding="utf-8")
    own, passed_on = (words[1 : words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words[1:], [])
    for word in own:
        assert not word.startswith("--") or re.search(rf"(^|\s|\|){word}( \||\))", script, re.MULTILINE), f"{words[0]} has no option {word}"
    given = dict(pairwise(own))
    run = ["--config", given.get("--config", "configs/demo.py"), "--run", given.get("--run", "runs/demo")]
    parse("oprover", [given.get("--verb", "iterate"), *run, *passed_on])


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_parse_and_name_files_that_exist(block: Block) -> None:
    for words in commands(block.text):
        check_command(words, block.runnable)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_compile(block: Block) -> None:
    compile(block.text, str(block), "exec")


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^(\s*)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Python-Markdown makes them."""
    titles = [re.sub(r"[`*]", "", title) for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)]
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            assert found.exists(), f"{target} does not exist"
            assert not anchor or anchor in anchors(found), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_the_text_exist(page: Path) -> None:
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        if HOME.match(span) and not re.search(r"[*<\s]|NAME", span):
            assert (ROOT / span).exists(), f"{span} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_short(page: Path) -> None:
    if "reference" not in page.parts:
        long = [line for line in prose(page).split("\n") if len(line) > 120 and not line.lstrip().startswith("|")]
        assert not long, long[0]


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}


@functools.cache
def generator() -> ModuleType:
    """Return docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@functools.cache
def generated(name: str) -> str:
    """Return a reference as it would be written now."""
    return str(getattr(generator(), name)())


@pytest.mark.parametrize("name", ["configuration", "cli"])
def test_references_are_fresh(name: str) -> None:
    written = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert generated(name) == written, "run `python docs/generate.py`"


def test_every_configuration_field_is_described() -> None:
    assert not re.findall(r"^\| `\w+` \|.*\|  \|$", generated("configuration"), re.MULTILINE), "describe the field in its docstring"


def test_descriptions_and_origins_name_fields_that_exist() -> None:
    page = generated("configuration")
    known = set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) | set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        known |= {f"{section.split()[0]}.{name}" for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)}
    assert not (generator().fields().keys() | generator().origins().keys()) - known


def test_packages_stand_in_the_order_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tables = [re.findall(r"^\| \d+ \| (.*?) \|", part, re.MULTILINE) for part in page.split("| layer |")[1:]]
    layers = [[set(layer.split(" : ")) for layer in contract["layers"]] for contract in contracts if contract["type"] == "layers"]
    assert [[set(re.findall(r"`(\w+)`", row)) for row in table] for table in tables] == layers


@pytest.fixture(scope="module", autouse=True)
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Start all marked blocks at once, each in a folder of its own, while the other tests run."""
    programs = tmp_path_factory.mktemp("bin")
    for name, module in (("oprover", "oprover_jax.cli.main"), ("lean-worker", "lean_worker.cli")):
        script = f"#!{sys.executable}\nimport sys\nsys.argv[0] = {name!r}\nfrom {module} import main\nmain()\n"
        (programs / name).write_text(script, encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    with contextlib.ExitStack() as opened:
        found = {}
        for block in MARKED:
            command = ["bash", "-euc", block.text] if block.language != "python" else [sys.executable, "-c", block.text]
            folder = ROOT if "launch/" in block.text else tmp_path_factory.mktemp("block")
            options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
            found[str(block)] = opened.enter_context(subprocess.Popen(command, cwd=folder, env=environment, **options))
            opened.callback(end, found[str(block)])
        yield found


def end(process: subprocess.Popen[str]) -> None:
    """End what a block started, if it has not ended by itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("block", MARKED, ids=str)
def test_marked_blocks_run(block: Block, started: dict[str, subprocess.Popen[str]]) -> None:
    said, _ = started[str(block)].communicate(timeout=120)
    assert started[str(block)].returncode == 0, said
