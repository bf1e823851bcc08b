"""Stands in for leanprover-community/repl, which is not to be had without a Lean toolchain: its protocol, spoken over the embedded Lean.

The judgement is the real kernel's; what is imitated is only the framing and that a command goes on from an environment (here: by
elaborating the text of all commands before it again).
"""

import json
import subprocess
import sys
from pathlib import Path

import lean_worker.embedded
from lean_worker.embedded.build import CoreLibrary, ensure_core, lean_command, lean_environment

FOLDER = Path(lean_worker.embedded.__file__).parent
READER = """
import json, os, sys
sys.path.append(sys.argv[1])
from file_reader import read_file
from frontend import Frontend
frontend = Frontend(sys.argv[2])
print(json.dumps(read_file(frontend, frontend.start(sys.argv[3], ()), sys.argv[4])["holes"]), flush=True)
os._exit(0)
"""
SEVERITIES = {"information": "info"}


def main() -> None:
    core = ensure_core()
    command = [*lean_command(core.library), "--json", "--stdin", "-DElab.async=false"]
    environments: list[str] = []
    for request in requests():
        before = environments[request["env"]] if "env" in request else ""
        text = before + request["cmd"].rstrip("\n") + "\n"
        done = subprocess.run(command, input=text, env=lean_environment(core.path), capture_output=True, text=True, check=False)
        above = before.count("\n")
        messages = []
        for line in filter(None, done.stdout.split("\n")):
            found = json.loads(line)
            if found["pos"]["line"] > above:
                places = {"pos": shifted(found["pos"], above), "endPos": shifted(found.get("endPos") or found["pos"], above)}
                messages.append({"severity": SEVERITIES.get(found["severity"], found["severity"]), **places, "data": found["data"]})
        environments.append(text)
        answer = {"env": len(environments) - 1}
        if messages:
            answer["messages"] = messages
        if "trace.Elab.command" in request["cmd"] and (found := sorries(core, text, above)):  # others need them not
            answer["sorries"] = found
        print(json.dumps(answer, indent=1, ensure_ascii=False), end="\n\n", flush=True)


def sorries(core: CoreLibrary, text: str, above: int) -> list[dict[str, object]]:
    """As the REPL reports them: the first goal of each `sorry`, and nothing for `admit`."""
    opening = "".join(text.splitlines(keepends=True)[:2])
    command = [sys.executable, "-I", "-S", "-c", READER, str(FOLDER), str(core.library.path), opening, text.removeprefix(opening)]
    done = subprocess.run(command, env=lean_environment(core.path), capture_output=True, text=True, check=True)
    body, found = text.removeprefix(opening).encode(), []
    for hole in json.loads(done.stdout):
        if body[hole["start"] : hole["end"]] == b"sorry" and hole["goal"] is not None:
            before = body[: hole["start"]].decode()
            pos = {"line": before.count("\n") + 3 - above, "column": len(before) - (before.rfind("\n") + 1)}
            end = {"line": pos["line"], "column": pos["column"] + 5}
            found.append({"proofState": 0, "pos": pos, "endPos": end, "goal": hole["goal"].split("\n\n")[0]})
    return found


def shifted(place: dict[str, int], above: int) -> dict[str, int]:
    return {"line": place["line"] - above, "column": place["column"]}


def requests():  # type: ignore[no-untyped-def]
    """JSON objects, separated by blank lines."""
    text = ""
    for line in sys.stdin:
        if line.strip():
            text += line
        elif text:
            yield json.loads(text)
            text = ""


if __name__ == "__main__":
    main()
