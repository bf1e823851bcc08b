"""Example trajectories of the report page: each attempt as verified, next to Lean's messages, followed by its repair."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from lean_worker.protocol import Message
from oprover_jax.agent.feedback import attempted
from oprover_jax.data.rollouts import Rollout, read, scan
from oprover_jax.records import Round, Statement, Trajectory

Decode = Callable[[Sequence[int]], str]

REPAIRED, AT_ONCE, UNPROVED = "repaired", "first attempt", "not proved"
_EXAMPLES = {REPAIRED: 6, AT_ONCE: 2, UNPROVED: 3}


def outcome(accepted: bool | None, rounds: int) -> str:
    """Return the outcome of a trajectory: proved after a rejection, proved on the first attempt, or not proved."""
    if not accepted:
        return UNPROVED
    return AT_ONCE if rounds == 1 else REPAIRED


def examples(files: Sequence[str]) -> list[Trajectory]:
    """Return the trajectories in `files`, parts of a run's stored rollouts, that the report shows: those that `choose` selects."""
    chosen = [rollout.where for rollout in choose(scan(files))]
    found = dict(zip(sorted(chosen), read(files, chosen), strict=True))
    return [found[where] for where in chosen]


def choose(rollouts: Iterable[Rollout]) -> list[Rollout]:
    """Return a few rollouts of each outcome, repairs first, without repeated statements; prefers late ones and different families."""
    latest: dict[str, dict[str, Rollout]] = {kind: {} for kind in _EXAMPLES}  # by statement, of which only the last can be shown
    for rollout in rollouts:
        if any(rollout.kinds):
            group = latest[outcome(rollout.accepted, len(rollout.kinds))]
            group.pop(rollout.statement, None)
            group[rollout.statement] = rollout
    chosen: list[Rollout] = []
    for kind, count in _EXAMPLES.items():
        shown, families, spare = {rollout.statement for rollout in chosen}, set[str](), list[Rollout]()
        picked: list[Rollout] = []
        for rollout in reversed(latest[kind].values()):
            if rollout.statement not in shown:
                (spare if rollout.family in families else picked).append(rollout)
                families.add(rollout.family)
        chosen += (picked + spare)[:count]
    return chosen


def trajectories_html(trajectories: Sequence[Trajectory], decode: Decode) -> str:
    """Return the HTML of trajectories, with the first one expanded."""
    if not trajectories:
        return '<p class="muted">No trajectories stored.</p>'
    return "".join(_trajectory(t, decode, number == 0) for number, t in enumerate(trajectories))


def _trajectory(trajectory: Trajectory, decode: Decode, is_open: bool) -> str:
    statement, kind = trajectory.statement, outcome(trajectory.accepted, len(trajectory.rounds))
    badge = {REPAIRED: "good", AT_ONCE: "good", UNPROVED: "bad"}[kind]
    what = f"{kind} · round {len(trajectory.rounds)}" if kind == REPAIRED else kind
    about = " · ".join(escape(part) for part in (trajectory.stage, statement.family, f"sample {trajectory.sample}") if part)
    rounds = "".join(_round(number, r, statement, decode) for number, r in enumerate(trajectory.rounds, 1))
    return (
        f'<details class="trajectory"{" open" if is_open else ""}><summary><span class="badge {badge}">{escape(what)}</span>'
        f'<code class="name">{escape(statement.name or statement.id)}</code><span class="muted">{about}</span></summary>'
        f'<pre class="statement">{escape(statement.header + statement.formal)}</pre>{rounds}</details>'
    )


def _round(number: int, played: Round, statement: Statement, decode: Decode) -> str:
    verdict, messages = played.verdict, played.verdict.messages if played.verdict else ()
    if played.proof is None:
        code = f'<pre class="code raw">{escape(decode(played.attempt_ids))}</pre>'
    else:
        text = attempted(statement.formal, played.proof)
        code = f'<pre class="code">{marked_code(text, messages)}</pre>'
    style = "good" if played.accepted else "bad"
    result = verdict.kind if verdict else "no code"
    took = f" · Lean {1000 * verdict.seconds:.0f} ms" if verdict else ""
    about = f"policy {played.policy_version} · {len(played.attempt_ids)} tokens{took}"
    texts = "".join(f'<pre class="raw">{escape(decode(ids))}</pre>' for ids in (played.prompt_ids, played.attempt_ids))
    return (
        f'<section class="round"><header><b>Attempt {number}</b><span class="badge {style}">{escape(result)}</span>'
        f'<span class="muted">{about}</span></header><div class="pair"><div>{code}</div><div>{_messages(played)}</div></div>'
        f"{_retrieved(played)}<details><summary>Prompt and completion</summary>{texts}</details></section>"
    )


def _messages(played: Round) -> str:
    verdict = played.verdict
    if verdict is None:
        return f'<p class="message bad">{escape(played.feedback or "The answer contains no code to check.")}</p>'
    lines = [
        f'<p class="message {"bad" if m.severity == "error" else "info"}"><span>{m.severity} · line {m.line}, column {m.column}</span>'
        f"{escape(_with_goal(m))}</p>"
        for m in verdict.messages
    ]
    if verdict.accepted:
        axioms = f"Axioms: {', '.join(verdict.axioms)}." if verdict.axioms else "No axioms."
        lines.append(f'<p class="message good"><span>Lean {escape(verdict.lean)}</span>Accepted by the kernel. {escape(axioms)}</p>')
    elif not lines:
        lines.append(f'<p class="message bad">{escape(played.feedback or f"No message from Lean ({verdict.kind}).")}</p>')
    return "".join(lines)


def _with_goal(message: Message) -> str:
    text = message.text.strip()
    return f"{text}\n{message.goal.strip()}" if message.goal and "⊢" not in text else text


def _retrieved(played: Round) -> str:
    if not played.retrieved:
        return '<p class="muted retrieved">No retrieved proofs.</p>'
    ids = " ".join(f"<code>{escape(i[:12])}</code>" for i in played.retrieved)
    return f'<p class="muted retrieved">{len(played.retrieved)} retrieved proof{"s" * (len(played.retrieved) > 1)}: {ids}</p>'


def marked_code(source: str, messages: Sequence[Message]) -> str:
    """Return `source` as numbered lines of HTML, with lines of errors marked and their columns underlined."""
    errors = [message for message in messages if message.severity == "error"]
    rows = []
    for number, line in enumerate(source.split("\n"), 1):
        here = [m for m in errors if m.line <= number <= max(m.end_line, m.line)]
        spans = [(m.column if m.line == number else 0, m.end_column if m.end_line == number else len(line)) for m in here]
        style = ' class="error"' if here else ""
        rows.append(f"<span{style}><i>{number}</i>{_underlined(line, spans)}</span>")
    return "".join(rows)


def _underlined(line: str, spans: Sequence[tuple[int, int]]) -> str:
    inside = [any(start <= at < end for start, end in spans) for at in range(len(line))]
    out, at = [], 0
    while at < len(line):
        end = at
        while end < len(line) and inside[end] == inside[at]:
            end += 1
        text = escape(line[at:end])
        out.append(f"<u>{text}</u>" if inside[at] else text)
        at = end
    return "".join(out)
