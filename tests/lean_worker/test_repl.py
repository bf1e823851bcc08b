"""The client of the REPL protocol, against recorded sessions of the real REPL if given, and against a process that misbehaves."""

import json
import os
import sys
from pathlib import Path

import pytest

from lean_worker.candidate import Candidate
from lean_worker.document import Answer
from lean_worker.jobs import Question
from lean_worker.repl.session import Repl, raw
from lean_worker.session import Limits, WorkerLost
from lean_worker.statement import split_statement

pytestmark = pytest.mark.lean

DATA = os.environ.get("OPROVER_DATA")
REPLAY = """
import json, sys
requests, responses = (part.strip().split("\\n\\n") for part in json.load(open(sys.argv[1])))
print('{"env": 0}', end="\\n\\n", flush=True)  # to the opening, which the recording has not
def ask():
    found = ""
    for line in sys.stdin:
        if line.strip(): found += line
        elif found: return json.loads(found)
ask()
for request, response in zip(requests, responses):
    got = ask()
    assert got == json.loads(request, strict=False), (got, request)
    print(response, end="\\n\\n", flush=True)
"""


def started(tmp_path: Path, script: str, *arguments: str, seconds: float = 10.0) -> Repl:
    program = tmp_path / "program.py"
    program.write_text(script)
    return Repl([sys.executable, str(program), *arguments], dict(os.environ), tmp_path, "", Limits(seconds=seconds))


# Written for this test in the form that the real REPL's recordings have: JSON over several lines, lists left out where they are empty.
OURS = {
    "name": "ours",
    "requests": """{"cmd": "def one := 1\\n\\ntheorem t : one = 1 := rfl"}

{"cmd": "example (p : Prop) : p ∨ ¬p := by\\n  sorry", "env": 0}

{"cmd": "theorem f : 2 + 2 = 5 := by decide\\n#print axioms f", "env": 0}

{"cmd": "rfl", "env": 7}""",
    "responses": """{"env": 0}

{"sorries":
 [{"proofState": 0,
   "pos": {"line": 2, "column": 2},
   "goal": "p : Prop\\n⊢ p ∨ ¬p",
   "endPos": {"line": 2, "column": 7}}],
 "messages":
 [{"severity": "warning",
   "pos": {"line": 1, "column": 0},
   "endPos": {"line": 1, "column": 7},
   "data": "declaration uses `sorry`"}],
 "env": 1}

{"messages":
 [{"severity": "error",
   "pos": {"line": 1, "column": 28},
   "endPos": {"line": 1, "column": 34},
   "data": "Tactic `decide` proved that the proposition\\n  2 + 2 = 5\\nis false"},
  {"severity": "info",
   "pos": {"line": 2, "column": 0},
   "data": "'f' depends on axioms: [sorryAx]"}],
 "env": 2}

{"message": "Unknown environment."}""",
}


def recorded() -> list[dict[str, str]]:
    """A session of our own, and those of the real REPL where the folder that holds lean-repl/ is given."""
    if DATA is None:
        return [OURS]
    path = Path(DATA) / "lean-repl" / "repl_io_fixtures.jsonl"
    return [OURS, *(json.loads(line) for line in path.read_text().splitlines())]


def turns(session: dict[str, str]) -> tuple[list[str], list[str]]:
    requests, responses = (session[part].strip().split("\n\n") for part in ("requests", "responses"))
    return requests, responses


@pytest.mark.parametrize("session", [one for one in recorded() if len(set(map(len, turns(one)))) == 1], ids=lambda one: one["name"])
def test_a_recorded_session_is_read_as_it_was_written(session: dict[str, str], tmp_path: Path) -> None:
    """Requests go out as recorded, answers come back equal, message by message."""
    (tmp_path / "session.json").write_text(json.dumps([session["requests"], session["responses"]]))
    repl = started(tmp_path, REPLAY, str(tmp_path / "session.json"))
    try:
        for request, response in zip(*turns(session), strict=True):
            answer = repl.ask(json.loads(request, strict=False), 10.0)
            assert answer == json.loads(response)
            for message in answer.get("messages", []):
                shown = raw(message, 3)
                assert shown["pos"]["line"] == message["pos"]["line"] + 3 and shown["data"] == message["data"]
                assert shown["severity"] == {"info": "information", "trace": "information"}.get(message["severity"], message["severity"])
    finally:
        repl.kill()


OPENED = 'import sys, time\nprint(\'{"env": 0}\', end="\\n\\n", flush=True)\n'


@pytest.mark.parametrize(
    ("behaviour", "seconds", "outcome"),
    [
        ("time.sleep(60)", 1.0, "timeout"),
        ("sys.stdin.readline(); sys.exit(0)", 10.0, "lost"),
        ("print('garbage', end='\\n\\n', flush=True); time.sleep(60)", 10.0, "lost"),
        ("print('[1]', end='\\n\\n', flush=True); time.sleep(60)", 10.0, "lost"),
        ("sys.stdout.write('x' * (9 << 20)); sys.stdout.flush(); time.sleep(60)", 10.0, "flood"),
        ("print('{\"message\": \"Unknown environment.\"}', end='\\n\\n', flush=True); time.sleep(60)", 10.0, "exit"),
    ],
)
def test_a_process_that_misbehaves_gives_no_verdict(tmp_path: Path, behaviour: str, seconds: float, outcome: str) -> None:
    repl = started(tmp_path, OPENED + behaviour, seconds=seconds)
    question = Question("", "", split_statement("theorem t : True := by sorry"), Candidate("trivial"))
    try:
        if outcome == "lost":
            with pytest.raises(WorkerLost):
                repl.run(question)
        else:
            found = repl.run(question)
            assert (found.answer, found.outcome) == (Answer(), outcome) and repl.usable == (outcome == "exit")
    finally:
        repl.kill()


def test_an_opening_that_does_not_load_is_said(tmp_path: Path) -> None:
    said = {"messages": [{"severity": "error", "pos": {"line": 1, "column": 0}, "data": "unknown module prefix"}], "env": 0}
    with pytest.raises(WorkerLost, match="unknown module prefix"):
        started(tmp_path, f"import time\nprint({json.dumps(said)!r}, end='\\n\\n', flush=True)\ntime.sleep(60)")
