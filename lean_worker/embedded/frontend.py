"""Lean's own frontend, driven command by command: parse a text, elaborate it on top of a state, and judge the result.

A state is Lean's `Command.State`; running a text gives a new one and leaves the old one unchanged. One per process, in its main thread;
between `rest` and `wake` no thread of Lean's runs, so that the process may be forked. Standard library only: the fork server
loads it as a plain script. Run as one, `python frontend.py LIBRARY OPENING` prints as JSON which tokens begin a command after an opening.
"""

import ctypes
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from goals import GoalReader
from objects import NOTHING, LeanError, Name, Objects, byte, keep, read_array, read_list, read_name, read_string, result, tag
from objects import field as part
from syntax import children, kind

Raw = dict[str, Any]  # a message as `lean --json` prints it
Look = Callable[[int, int, int], None]

_SEVERITIES = ("information", "warning", "error")
_MESSAGE_SEVERITY = 0x31  # its offset in a message, after the object fields
_THREADS = 1
_INFORMATION = 8  # the field of a state that holds the information trees
_OUT_OF_MEANS = 13  # kernel exceptions from here on are resource failures, not verdicts on the declaration


# what a candidate may consist of: a command of another kind is not elaborated, whatever the proof filter made of the text
_DECLARATION = "Lean.Parser.Command.declaration"
_DECLARED = frozenset({"theorem", "definition", "abbrev", "example", "instance", "structure", "inductive", "classInductive"})
_ENCLOSING = frozenset({"Lean.Parser.Command.in", "Lean.Parser.Command.mutual"})
_PLAIN = frozenset(
    f"Lean.Parser.Command.{name}"
    for name in (
        *("open", "namespace", "section", "end", "variable", "universe", "set_option", "include", "omit", "attribute"),
        *("noncomputableSection", "lemmaDeclaration", "eoi"),
    )
)


@dataclass
class Run:
    """Result of running a text. `stray` is the byte offset of a command that is not allowed.

    `counts` holds for each command how many messages there were when it was done.
    """

    state: int
    messages: list[Raw] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    stray: int | None = None

    @property
    def failed(self) -> bool:
        return any(message["severity"] == "error" for message in self.messages)


@dataclass(frozen=True)
class Judged:
    """Result of judging. `reason` is empty if the candidate proves the statement. `axioms` are those that the candidate depends on."""

    reason: str
    axioms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A declared theorem: its full name, and pointers to its universe parameters and its type."""

    name: Name
    levels: int
    type: int


def public(name: Name) -> Name:
    """Return the name of a private constant as its author wrote it, in full; any other name as it is."""
    return name[name.index(0) + 1 :] if name[:1] == ("_private",) and 0 in name else name


def _allowed(command: int) -> bool:
    """Return whether a candidate may contain this command: its kind decides, not its text."""
    name, parts = kind(command), children(command)
    if name == _DECLARATION:
        return kind(parts[1]).removeprefix("Lean.Parser.Command.") in _DECLARED
    if name in _ENCLOSING:
        return all(_allowed(each) for each in (parts if name.endswith(".in") else children(parts[1])) if kind(each))
    return name in _PLAIN


class Frontend:
    """Frontend of the library at `path`. LEAN_PATH must be set."""

    def __init__(self, path: str) -> None:
        lean = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        lean.lean_initialize()
        lean.lean_io_mark_end_initialization()
        self._lean = lean
        self.wake()
        pointer, flag = ctypes.c_void_p, ctypes.c_uint8
        objects = self.objects = Objects(lean)
        function = objects.function
        self._input = function("l_Lean_Parser_mkInputContext___redArg", pointer, pointer, flag, pointer)
        self._parse_command = function("l_Lean_Parser_parseCommand", *(pointer,) * 4)
        self._is_last = function("l_Lean_Parser_isTerminalCommand", pointer, returns=flag)
        self._elaborate = function("l_Lean_Elab_Frontend_elabCommandAtFrontend", *(pointer,) * 3)
        self._no_messages = objects.constant("l_Lean_MessageLog_empty")
        self._reference = function("lean_st_mk_ref", pointer)
        self._new_messages = function("l_Lean_MessageLog_toArray", pointer)
        self._message_text = function("l_Lean_MessageData_toString", pointer)
        self._options_text = function("l_Lean_Options_instToString___private__1", pointer)
        self._category = function("l_Lean_Parser_getParserCategory_x3f", pointer, pointer)
        self._kernel = function("lean_elab_environment_to_kernel_env", pointer)
        self._find = function("lean_environment_find", pointer, pointer)
        self._parameter = function("lean_level_mk_param", pointer)
        self._constant = function("l_Lean_Expr_const___override", pointer, pointer)
        size = ctypes.c_size_t
        self._add = function("lean_add_decl", pointer, size, size, pointer, pointer)
        collect = "l_Lean_collectAxioms___at___00__private_Lean_Elab_Print_0__Lean_Elab_Command_printAxiomsOf_spec__0___redArg"
        self._collect_axioms = function(collect, pointer, pointer)
        self._parse_header = function("l_Lean_Parser_parseHeader", pointer)
        self._process_header = function("l_Lean_Elab_processHeader", *(pointer,) * 4, ctypes.c_uint32, pointer, flag, pointer)
        self._initial = function("l_Lean_Elab_Command_mkState", *(pointer,) * 3)
        self._mark_persistent = function("lean_mark_persistent", pointer, returns=None)
        self._used_constants = function("l_Lean_Expr_getUsedConstants", pointer)
        self._same_term = function("lean_expr_eqv", pointer, pointer, returns=flag)
        function("lean_enable_initializer_execution")()
        function("lean_init_search_path")()

    def wake(self) -> None:
        """Let Lean start threads for its tasks on demand."""
        self._lean.lean_init_task_manager_using(ctypes.c_uint(_THREADS))

    def rest(self) -> None:
        """Wait for Lean's tasks and end its threads: a forked process would not have them, and would wait for them forever."""
        self._lean.lean_finalize_task_manager()

    def start(self, opening: str, options: Sequence[tuple[str, str]]) -> int:
        """Return the state after `opening` (prelude and imports) with these options set. Raises LeanError if it cannot be loaded."""
        objects = self.objects
        none = objects.constant("l_Lean_Options_empty")
        context = self._context(opening)
        parsed = result(self._parse_header(context))
        header, rest = part(parsed, 0), part(parsed, 1)
        messages = part(rest, 1)
        for pointer in (header, rest, messages):
            keep(pointer)
        loaded = result(self._process_header(header, none, messages, context, 0, objects.array(()), 1, NOTHING))
        environment, log = keep(part(loaded, 0)), keep(part(loaded, 1))
        if wrong := self._messages(log):
            raise LeanError(f"the library cannot be imported: {wrong[0]['data']}")
        run = self.run(keep(self._initial(environment, log, none)), "".join(f"set_option {name} {value}\n" for name, value in options))
        if run.failed:
            raise LeanError(f"an option cannot be set: {run.messages[0]['data']}")
        return run.state

    def run(self, state: int, text: str, line: int = 0, most: int | None = None, look: Look | None = None, goals: bool = False) -> Run:
        """Elaborate a text on top of a state. `line` is added to the lines of its messages.

        `look` is called with the state before each command, its syntax, and the state after it. With `goals`, an error whose text shows no
        goal gets the goal at its position.

        `most` is None for a text that may contain any commands, or the number of commands of the kinds that a candidate may contain (0: as
        many as there are). A command beyond that is not elaborated, nor is what follows it.
        """
        objects, context = self.objects, self._context(text)
        run, count = Run(state), 0
        # skips the text before the first command: alone, a comment would be the beginning of a command that never comes
        parsed, last = keep(part(part(result(self._parse_header(context)), 1), 0)), False
        while not last:
            scope = self._scope(run.state)
            known = objects.constructor(0, (keep(part(run.state, 0)), *(keep(part(scope, index)) for index in (1, 2, 3))))
            at = part(parsed, 0)
            found = keep(self._parse_command(context, known, parsed, self._no_messages))
            command, rest = keep(part(found, 0)), keep(part(found, 1))
            parsed = keep(part(rest, 0))
            run.messages += self._messages(part(rest, 1), line)
            last, count = bool(self._is_last(command)), count + 1
            if most is not None and not last and (0 < most < count or not _allowed(command)):
                run.stray = None if run.failed else at >> 1
                break
            reference = self._reference(objects.constructor(0, (run.state, parsed, at, objects.array(()))))
            result(self._elaborate(command, context, reference))
            before, run.state = run.state, keep(part(part(reference, 0), 0))
            if look is not None:
                look(before, command, run.state)
            messages = self._messages(part(run.state, 1), line)
            if goals:
                self._add_goals(run.state, text, messages, line)
            run.messages += messages
            run.counts.append(len(run.messages))
        return run

    def _add_goals(self, state: int, text: str, messages: list[Raw], line: int) -> None:
        """Add the goal at its position to each error that shows none."""
        lacking = [message for message in messages if message["severity"] == "error" and "⊢" not in message["data"]]
        if not lacking:
            return
        reader, lines = GoalReader(self.objects, text), text.split("\n")
        for message in lacking:
            at, column = message["pos"]["line"] - line - 1, message["pos"]["column"]
            offset = sum(len(each.encode()) + 1 for each in lines[:at]) + len(lines[at][:column].encode())
            message["goal"] = reader.goals(part(self.trees(state), 2), offset, before=True) or ""

    def freeze(self, state: int) -> None:
        """Make all objects reachable from a state immortal, so that forked processes share its memory without writing to it."""
        self._mark_persistent(state)

    def options(self, state: int) -> str:
        """Return the options in force, as Lean prints them."""
        return read_string(self._options_text(keep(part(self._scope(state), 1))))

    def command_tokens(self, state: int) -> list[str]:
        """Return the tokens that begin a command."""
        category = self._category(keep(part(state, 0)), self.objects.name(("command",)))
        tables = part(part(category, 0), 2)
        found: list[str] = []
        waiting = [part(tables, 0)]
        while waiting:  # a balanced tree of (size, key, value, left, right)
            node = waiting.pop()
            if not node & 1:
                found.append(".".join(map(str, read_name(part(node, 1) if tag(node) == 0 else NOTHING))))
                waiting += [part(node, 3), part(node, 4)]
        return sorted(found)

    def find(self, before: int, after: int, name: Name) -> "Target | None":
        """Return the theorem that `after` declares by a name relative to the namespace in which `before` ends, or None.

        A name that begins with `_root_` is a full one.
        """
        full = self.full_name(before, name)
        kernel = keep(self._kernel(keep(part(after, 0))))
        for each in (full, ("_private", 0, *full)):
            if (found := self._signature(kernel, each)) is not None:
                return Target(each, *map(keep, found))
        return None

    def full_name(self, state: int, name: Name) -> Name:
        """Return the full name of what a declaration calls `name`."""
        return name[1:] if name[:1] == ("_root_",) else (*read_name(part(self._scope(state), 2)), *name)

    def trees(self, state: int) -> int:
        """Return Lean's information about the last command."""
        return part(state, _INFORMATION)

    def axioms(self, state: int, name: Name) -> list[str]:
        """Return the axioms that a constant depends on."""
        found = read_array(result(self._collect_axioms(self.objects.name(name), self._reference(state))))
        return [".".join(map(str, read_name(axiom))) for axiom in found]

    def is_plain(self, before: int, target: "Target") -> bool:
        """Return whether all constants that the type mentions are there in the state `before` its declaration: no `match` of its own."""
        kernel = keep(self._kernel(keep(part(before, 0))))
        return all(not self._find(kernel, keep(name)) & 1 for name in read_array(keep(self._used_constants(target.type))))

    def judge(self, state: int, wanted: "Target | None", candidate: Name, judge: Name, heartbeats: int) -> Judged:
        """Decide whether the constant `candidate` has the type that is `wanted`, and collect the axioms that it depends on.

        With None any type will do. Equal types are equal; about others the kernel decides. This reads none of Lean's messages, and parses
        and elaborates nothing.
        """
        objects = self.objects
        if "debug." in self.options(state):
            return Judged(f"an option of the kind debug.* is in force: {self.options(state)}")
        kernel = keep(self._kernel(keep(part(state, 0))))
        given = self._signature(kernel, candidate)
        if given is None:
            return Judged(f"{'.'.join(map(str, candidate))} was not declared")
        if wanted is None:
            return Judged("", tuple(self.axioms(state, candidate)))
        parameters = list(map(read_name, read_list(wanted.levels)))
        used = list(map(read_name, read_list(given[0])))
        if used != parameters or not self._same_term(wanted.type, given[1]):
            # the kernel checks the result whatever universes are chosen here
            chosen = parameters if len(used) == len(parameters) else [name if name in parameters else None for name in used]
            arguments = objects.list(NOTHING if name is None else keep(self._parameter(objects.name(name))) for name in chosen)
            name = objects.name(judge)
            value = keep(self._constant(objects.name(candidate), arguments))
            head = objects.constructor(0, (name, wanted.levels, wanted.type))
            theorem = objects.constructor(2, [objects.constructor(0, (head, value, objects.list([name])))])
            answer = self._add(kernel, heartbeats * 1000, 0, theorem, NOTHING)
            if tag(answer) != 1:
                if tag(part(answer, 0)) >= _OUT_OF_MEANS:
                    raise LeanError("the kernel ran out of time, memory or stack")
                return Judged("the proved theorem is not the statement")
        return Judged("", tuple(self.axioms(state, candidate)))

    def _context(self, text: str) -> int:
        objects = self.objects
        end = len(text.encode()) << 1 | 1
        return keep(self._input(objects.string(text), objects.string("<input>"), 0, end))

    def _scope(self, state: int) -> int:
        return part(part(state, 2), 0)

    def _signature(self, kernel: int, name: Name) -> tuple[int, int] | None:
        """Return the universe parameters and the type of a constant."""
        found = self._find(kernel, self.objects.name(name))
        if found & 1:
            return None
        constant = part(part(part(keep(found), 0), 0), 0)
        return part(constant, 1), part(constant, 2)

    def _messages(self, log: int, line: int = 0) -> list[Raw]:
        """Return the messages of the last elaborated command."""
        found = []
        for message in read_array(keep(self._new_messages(keep(log)))):
            text = read_string(self._message_text(keep(part(message, 4))))
            begin, end = part(message, 1), part(message, 2)
            places = [begin, begin if end & 1 else part(end, 0)]
            first, last = ({"line": (part(place, 0) >> 1) + line, "column": part(place, 1) >> 1} for place in places)
            severity = _SEVERITIES[byte(message, _MESSAGE_SEVERITY)]
            found.append({"severity": severity, "pos": first, "endPos": last, "data": text})
        return found


if __name__ == "__main__":
    frontend = Frontend(sys.argv[1])
    print(json.dumps(frontend.command_tokens(frontend.start(sys.argv[2], ()))), flush=True)
    os._exit(0)  # skip the shutdown of Lean's threads
