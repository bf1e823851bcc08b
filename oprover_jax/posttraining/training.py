"""Cross-entropy training stages: CPT on a mixture, SFT on the public corpus, and SFT on rounds of the rollouts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from oprover_jax.data.dataset import folders_of, write_packed
from oprover_jax.data.loader import from_folders, shares
from oprover_jax.data.packing import PackReport, TooLong
from oprover_jax.data.rows import Example, document
from oprover_jax.data.trajectories import read_examples
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import Experiment, TrainingConfig
from oprover_jax.posttraining.jobs import job_of
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import Weights, exported_files
from oprover_jax.posttraining.preparation import library_sources, read_failed_attempts
from oprover_jax.posttraining.select import sft_rounds
from oprover_jax.posttraining.warmup_examples import documents, first_examples
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.metrics import read_metrics
from oprover_jax.training.rollout_step import Draw
from oprover_jax.training.train import Start, fit


def cpt(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Continue pretraining on a mixture with token weights: theorems with proofs, Lean library source, and whole rounds.

    Rounds contain retrieved context and feedback, as in OProofs, with loss on every token.
    """
    config, codec = bench.experiment.cpt, bench.codec
    assert config is not None  # else the plan has no such stage
    if config.data:
        return train_on(bench, stage, config, config.data, progress)
    texts = documents(bench.theorems.public, library_sources())
    sources = {name: [document([*codec.encode_plain(text), codec.end_ids[0]]) for text in texts[name]] for name in texts}
    sources["rounds"] = [document(example.ids.tolist()) for example in public_examples(bench)]
    weights = bench.experiment.cpt_mixture
    if set(sources) != set(weights):
        raise InputError(f"cpt_mixture has weights for {', '.join(sorted(weights))}; it must name {', '.join(sorted(sources))}")
    return train(bench, stage, config, sources, weights, "continue", progress)


def sft(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Run the first SFT on public proofs and repairs of wrong ones, in the prompts of the agent."""
    config = bench.experiment.sft
    assert config is not None  # else the plan has no such stage
    if config.data:
        return train_on(bench, stage, config, config.data, progress)
    return train(bench, stage, config, {"public": public_examples(bench)}, {"public": 1.0}, "drop", progress)


def repair_sft(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Run SFT on accepted rounds of all rollouts so far, with a replayed share of public examples."""
    experiment = bench.experiment
    rollouts = bench.rollouts(*(f"rollout-{i}" for i in range(1, stage.iteration + 1)))
    chosen = sft_rounds(rollouts, experiment.select)
    sources = {"rounds": list(read_examples(rollouts, chosen)), "public": public_examples(bench)}
    once = sum(each.prompt + each.length for each in chosen)
    rounds = share_of_rounds(experiment, once)
    present = {name: share for name, share in (("rounds", rounds), ("public", 1 - rounds)) if share > 0}
    summary = train(bench, stage, experiment.repair_sft, sources, present, "drop", progress)
    return summary | {"rounds": len(chosen)}


def share_of_rounds(experiment: Experiment, tokens: int) -> float:
    """Return the share of new rounds, `tokens` in all, in the tokens of a repair SFT; 0 if it is less than one row."""
    budget = experiment.repair_sft.steps * experiment.repair_sft.tokens_per_step
    share = min(1 - experiment.replay, experiment.select.passes * tokens / budget)
    return share if share * budget >= experiment.repair_sft.seq_len else 0.0


def public_examples(bench: Workbench) -> list[Example]:
    """Return public proofs and repairs in the agent's prompts; only public proofs are retrieved, so that all stages use the same set."""
    return first_examples(
        bench.template, bench.public_memory, bench.theorems.public, read_failed_attempts(bench), bench.experiment.refine.retrieve
    )


def train(
    bench: Workbench,
    stage: Stage,
    config: TrainingConfig,
    sources: Mapping[str, Sequence[Example]],
    weights: Mapping[str, float],
    too_long: TooLong,
    progress: StageProgress,
) -> dict[str, Any]:
    """Pack the examples, train from the policy of the previous stage, and save the new policy in the folder of the stage.

    Args:
      bench: Shared resources of the run.
      stage: Stage to run.
      config: Training settings.
      sources: Examples by source.
      weights: Weight of each source in tokens.
      too_long: Handling of examples longer than a row.
      progress: Receives progress.

    Returns:
      Summary of the stage.
    """
    rows = bench.folder.stage(stage.name) / "rows"
    packed = {name: write_packed(rows / name, sources[name], config.seq_len, too_long) for name in weights}
    summary = train_on(bench, stage, config, {str(rows / name): weight for name, weight in weights.items()}, progress)
    report = sum((index.report for index in packed.values()), PackReport())
    found = {"examples": report.examples, "fill": report.fill(config.seq_len), "continued": report.continued, "dropped": report.dropped}
    return found | summary


def train_on(
    bench: Workbench, stage: Stage, config: TrainingConfig, data: dict[str, float] | str, progress: StageProgress
) -> dict[str, Any]:
    """Train from the policy of the previous stage on rows that are there already; return the summary of the stage."""
    job = job_of(bench.experiment, bench.model, stage, data)
    last = train_policy(bench, stage, job, progress, lambda metrics: f"loss {metrics['loss']:.3f}")
    weights = folders_of(job.data)
    taken = shares(from_folders(weights, job.batch_size, job.seed), weights, config.steps)
    return {
        "tokens": config.steps * config.tokens_per_step,
        "mixture": {name: asdict(share) for name, share in taken.items()},
        "loss": last["loss"],
    }


def train_policy(
    bench: Workbench,
    stage: Stage,
    job: TrainingJob,
    progress: StageProgress,
    text: Callable[[Mapping[str, float]], str],
    draw: Draw | None = None,
) -> dict[str, float]:
    """Train the policy of the stage before in the folder of `stage`, and make the result the current policy.

    Args:
      bench: Shared resources of the run.
      stage: Stage to run.
      job: Its job.
      progress: Receives progress.
      text: Says in a few words how a step went, from its metrics.
      draw: Draws the rollout batches of an rl job.

    Returns:
      Metrics of the last step.
    """
    folder, before = bench.folder.stage(stage.name), bench.policy()
    progress.total(job.loop.steps)
    last: dict[str, float] = {}

    def show(step: int, steps: int, metrics: Mapping[str, float]) -> None:
        last.update(metrics)
        progress.update(step, f"{text(metrics)}, {metrics['tokens_per_second']:,.0f} tokens/s")

    extra_files, end_id = exported_files(bench.folder, bench.experiment)
    params = fit(
        job,
        folder,
        bench.mesh,
        show,
        start=Start(before.params, f"{before.stage} of a run"),
        draw=draw,
        programs=bench.programs,
        extra_files=extra_files,
        end_id=end_id,
    )
    steps = job.loop.steps
    bench.set_policy(Weights(stage.name, policy_version(bench.experiment, stage.name, steps), params))
    return last or read_metrics(folder / "metrics.jsonl")[-1]
