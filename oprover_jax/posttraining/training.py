"""Cross-entropy training stages: CPT on a mixture, SFT on the public corpus, and SFT on rounds of the rollouts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from oprover_jax.data.dataset import write_packed
from oprover_jax.data.loader import from_folders, shares
from oprover_jax.data.packing import PackReport, TooLong
from oprover_jax.data.rows import Example, document
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import Experiment, TrainingConfig
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import save_policy
from oprover_jax.posttraining.preparation import library_sources, read_failed_attempts
from oprover_jax.posttraining.select import sft_examples
from oprover_jax.posttraining.warmup_examples import documents, first_examples
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.training.loop import LoopConfig, fingerprint, run, stop_on_signals
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import learning_rate, make_optimizer
from oprover_jax.training.step import TrainStep, init_state, make_train_step


def cpt(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Continue pretraining on a mixture with token weights: theorems with proofs, Lean library source, and whole rounds.

    Rounds contain retrieved context and feedback, as in OProofs, with loss on every token.
    """
    config, tokenizer = bench.experiment.cpt, bench.tokenizer
    texts = documents(bench.corpus.public, library_sources())
    sources = {name: [document([*tokenizer.encode(text), tokenizer.end_id]) for text in texts[name]] for name in texts}
    sources["rounds"] = [document(example.ids.tolist()) for example in public_examples(bench)]
    weights = bench.experiment.cpt_mixture
    if set(sources) != set(weights):
        raise InputError(f"cpt_mixture has weights for {', '.join(sorted(weights))}; it must name {', '.join(sorted(sources))}")
    return train(bench, stage, config, sources, weights, "continue", progress)


def sft(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Run the first SFT on public proofs and repairs of wrong ones, in the prompts of the agent."""
    return train(bench, stage, bench.experiment.sft, {"public": public_examples(bench)}, {"public": 1.0}, "drop", progress)


def repair_sft(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Run SFT on accepted rounds of all rollouts so far, with a replayed share of public examples."""
    experiment = bench.experiment
    rollouts = [t for i in range(1, stage.iteration + 1) for t in bench.trajectories(f"rollout-{i}")]
    sources = {"rounds": sft_examples(rollouts, experiment.select), "public": public_examples(bench)}
    once = sum(len(example.ids) for example in sources["rounds"])
    rounds = share_of_rounds(experiment, once)
    present = {name: share for name, share in (("rounds", rounds), ("public", 1 - rounds)) if share > 0}
    summary = train(bench, stage, experiment.repair_sft, sources, present, "drop", progress)
    return summary | {"rounds": len(sources["rounds"])}


def share_of_rounds(experiment: Experiment, tokens: int) -> float:
    """Return the share of new rounds, `tokens` in all, in the tokens of a repair SFT; 0 if it is less than one row."""
    budget = experiment.repair_sft.steps * experiment.repair_sft.tokens_per_step
    share = min(1 - experiment.replay, experiment.select.passes * tokens / budget)
    return share if share * budget >= experiment.repair_sft.seq_len else 0.0


def public_examples(bench: Workbench) -> list[Example]:
    """Return public proofs and repairs in the agent's prompts; only public proofs are retrieved, so that all stages use the same set."""
    return first_examples(
        bench.template, bench.public_memory, bench.corpus.public, read_failed_attempts(bench), bench.experiment.refine.retrieve
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
    folder = bench.folder.stage(stage.name)
    packed = {name: write_packed(folder / "rows" / name, sources[name], config.seq_len, too_long) for name in weights}
    progress.total(config.steps)
    optimizer = make_optimizer(config.optimizer)
    state = init_state(bench.policy()[1], optimizer, bench.mesh)
    mixture = {str(folder / "rows" / name): weight for name, weight in weights.items()}
    batches = from_folders(mixture, config.batch_size, bench.experiment.seed + stage.iteration)
    last: dict[str, float] = {}

    def show(step: int, steps: int, metrics: Mapping[str, float]) -> None:
        last["loss"] = metrics["loss"]
        progress.update(step, f"loss {metrics['loss']:.3f}, {metrics['tokens_per_second']:,.0f} tokens/s")

    with stop_on_signals() as stop:
        state = run(
            folder,
            LoopConfig(config.steps),
            state,
            train_step(bench, config),
            lambda start: batches.stream(bench.mesh, start),
            lambda step: learning_rate(config.optimizer, step, config.steps),
            identity=fingerprint(config, bench.experiment.model, bench.experiment.seed),
            on_progress=show,
            stop=stop,
        )
    if int(state.step) < config.steps:
        raise KeyboardInterrupt
    save_policy(bench.folder, stage.name, state.params, policy_version(bench.experiment, stage.name))
    bench.set_policy(stage.name, state.params)
    report = sum((index.report for index in packed.values()), PackReport())
    return {
        "examples": report.examples,
        "fill": report.fill(config.seq_len),
        "tokens": config.steps * config.tokens_per_step,
        "continued": report.continued,
        "dropped": report.dropped,
        "mixture": {name: asdict(share) for name, share in shares(batches, mixture, config.steps).items()},
        **last,
    }


def train_step(bench: Workbench, config: TrainingConfig) -> TrainStep:
    """Return the compiled train step, shared by stages with equal optimizer settings and shapes."""
    key = ("cross_entropy", config.optimizer.program, config.grad_accum_steps)
    return bench.program(
        key,
        lambda: make_train_step(
            cross_entropy(bench.experiment.model),
            make_optimizer(config.optimizer),
            bench.mesh,
            config.grad_accum_steps,
            config.optimizer.spike_factor,
        ),
    )
