"""Stages of the pipeline; each returns all rows of a part with its fields filled in, or with the reason why a row is lost."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from oprover_jax.agent.refine import seed_of
from oprover_jax.autoformalize.answers import NotATheorem, read_score, read_theorem
from oprover_jax.autoformalize.config import FormalizeConfig, VacuityConfig
from oprover_jax.autoformalize.lineage import Formalization, of_candidate
from oprover_jax.autoformalize.mining.candidates import Candidate
from oprover_jax.autoformalize.model import Model
from oprover_jax.autoformalize.vacuity import check_vacuity
from oprover_jax.records import Statement
from oprover_jax.statements.normalize import statement_id
from oprover_jax.verify.verifier import Verifier

NO_VERDICT = "no verdict of Lean"
_NO_AUTO_BOUND = "set_option autoImplicit false"  # otherwise a misspelt name would become a variable


def statement_of(row: Formalization, source: str = "") -> Statement:
    """Return the statement of a row."""
    return Statement(
        id=statement_id(row.formal, row.header),
        name=row.name,
        formal=row.formal,
        header=row.header,
        difficulty=1 if row.trivial else 0,
        source=source,
        licence=row.licence,
        informal=row.informal,
    )


async def formalize(candidates: Sequence[Candidate], model: Model, config: FormalizeConfig) -> list[Formalization]:
    """Sample the answers of the formalizer for each candidate and parse the theorems in them."""
    answers = await asyncio.gather(*(_formalized(candidate, model, config) for candidate in candidates))
    return [row for rows in answers for row in rows]


async def _formalized(candidate: Candidate, model: Model, config: FormalizeConfig) -> list[Formalization]:
    prompt = _filled(config.formalizer.prompt, header=config.header, informal=candidate.text)
    try:
        answers = await model.generate(prompt, config.formalizer, seed_of(config.seed, "formalize", candidate.id))
    except ValueError as error:
        lost = replace(of_candidate(candidate, 0), lost="too long for the policy", detail=str(error))
        return [replace(lost, sample=sample) for sample in range(config.formalizer.num_samples)]
    rows = []
    for sample, (answer, completion) in enumerate(answers):
        row = replace(of_candidate(candidate, sample), answer=answer, version=completion.policy_version)
        try:
            theorem = read_theorem(answer)
        except NotATheorem as reason:
            rows.append(replace(row, lost="cut off" if completion.finish_reason == "length" else str(reason)))
            continue
        header = "\n".join([*config.header.splitlines(), *theorem.opens])
        rows.append(replace(row, name=theorem.name, formal=theorem.formal, header=header))
    return rows


async def elaborate(rows: Sequence[Formalization], verifier: Verifier) -> list[Formalization]:
    """Check whether Lean elaborates each statement; equal statements are checked once."""
    return list(await asyncio.gather(*(_elaborated(row, verifier) for row in rows)))


async def _elaborated(row: Formalization, verifier: Verifier) -> Formalization:
    """Check one statement with an arbitrary proof, because Lean reports errors of the statement before those of the proof."""
    statement = statement_of(replace(row, header=f"{row.header}\n{_NO_AUTO_BOUND}\n"))
    verdict = await verifier.verify(statement, "by skip")
    row = replace(row, lean=verdict.lean, library=verdict.library)
    messages = "\n".join(message.text for message in verdict.messages)
    if verdict.accepted is None:
        return replace(row, lost=NO_VERDICT, detail=f"{verdict.kind}: {messages}")
    return replace(row, lost="does not elaborate", detail=messages) if verdict.kind == "statement" else row


async def criticise(rows: Sequence[Formalization], model: Model, config: FormalizeConfig) -> list[Formalization]:
    """Compute the critic's mean score of each translation over its answers that contain a score."""
    return list(await asyncio.gather(*(_criticised(row, model, config) for row in rows)))


async def _criticised(row: Formalization, model: Model, config: FormalizeConfig) -> Formalization:
    prompt = _filled(config.critic.prompt, header=row.header, informal=row.informal, formal=row.formal)
    try:
        answers = await model.generate(prompt, config.critic, seed_of(config.seed, "critic", row.text_id, row.formal))
    except ValueError as error:
        return replace(row, lost="too long for the critic", detail=str(error))
    judgements = tuple(answer for answer, _ in answers)
    scores = [score for score in map(read_score, judgements) if score is not None]
    if not scores:
        return replace(row, judgements=judgements, lost="no score in the critic's answers")
    row = replace(row, judgements=judgements, critic=sum(scores) / len(scores))
    return row if sum(scores) / len(scores) >= config.faithful else replace(row, lost="not faithful")


async def check_rows(rows: Sequence[Formalization], verifier: Verifier, config: VacuityConfig) -> list[Formalization]:
    """Reject vacuous statements and those without a verdict; mark trivial ones, and reject them unless `keep_trivial` is set."""
    return list(await asyncio.gather(*(_checked(row, verifier, config) for row in rows)))


async def _checked(row: Formalization, verifier: Verifier, config: VacuityConfig) -> Formalization:
    vacuity = await check_vacuity(verifier, statement_of(row), config)
    row = replace(row, tried=vacuity.tried, trivial=vacuity.trivial)
    if vacuity.vacuous:
        return replace(row, lost="vacuous: contradictory hypotheses", detail=vacuity.vacuous)
    if vacuity.trivial and not config.keep_trivial:
        return replace(row, lost="trivial", detail=vacuity.trivial)
    return replace(row, lost=NO_VERDICT) if vacuity.undecided else row


def choose(rows: Sequence[Formalization], per_text: int) -> list[Formalization]:
    """Keep up to `per_text` distinct statements of each text, by the critic's score and then by length."""
    groups: dict[str, list[Formalization]] = defaultdict(list)
    for row in rows:
        groups[row.text_id].append(row)
    out = []
    for group in groups.values():
        kept: set[str] = set()
        for row in sorted(group, key=lambda row: (-(row.critic or 0), bool(row.trivial), len(row.formal), row.sample)):
            identity = statement_id(row.formal, row.header)
            if identity in kept:
                out.append(replace(row, lost="same statement as another sample"))
            elif len(kept) == per_text:
                out.append(replace(row, lost="another sample was better"))
            else:
                kept.add(identity)
                out.append(row)
    return out


def _filled(prompt: str, **places: str) -> str:
    """Fill the placeholders of a prompt in one pass, so that braces in the inserted text are not placeholders."""
    return re.sub(r"\{(" + "|".join(places) + r")\}", lambda match: places[match[1]], prompt)
