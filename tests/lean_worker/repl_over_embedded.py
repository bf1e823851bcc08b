"""Stands in for leanprover-community/repl, which is not to be had without a Lean toolchain: its protocol, spoken over the embedded Lean.

The judgement is the real kernel's; what is imitated is only the framing and that a command goes on from an environment (here: by
elaborating the text of all commands before it again).
"""

import json
import subprocess
import sys

from lean_worker.embedded.build import ensure_core, lean_command, lean_environment

SEVERITIES = {"information": "info"}


def main() -> None:
    core = ensure_core()
    command = [*lean_command(core.library), "--json", "--stdin"]
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
        answer = {"messages": messages, "env": len(environments) - 1} if messages else {"env": len(environments) - 1}
        print(json.dumps(answer, indent=1, ensure_ascii=False), end="\n\n", flush=True)


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
