"""`oprover export`: export the latest policy of a run, or that of a stage, with its tokenizer, in Hugging Face format."""

from pathlib import Path

from oprover_jax.models.hf.export import Dtype, check_target, export_hf
from oprover_jax.models.hf.names import hf_tensors
from oprover_jax.posttraining.policy import exported_files, model_of, trained_policy
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import make_mesh


def export_run(run: Path, out: Path, dtype: Dtype, overwrite: bool, console: ProgressConsole, stage: str = "") -> None:
    """Write the policy of a run after `stage` (empty: after its last finished one), and its tokenizer, to `out`.

    Raises:
      InputError: `run` is not a run folder or has no such policy yet, or `out` is not empty. Nothing is written.
    """
    folder, experiment = open_run(run)
    check_target(out, overwrite)
    model = model_of(experiment.policy)
    weights = trained_policy(folder, experiment, model, make_mesh(experiment.mesh), stage)
    extra_files, end_id = exported_files(folder, experiment)
    written: list[str] = []
    with console.stage(1, 1, "export") as progress:
        progress.total(len(hf_tensors(model)))

        def on_write(name: str, _: int) -> None:
            written.append(name)
            progress.update(len(written), name)

        export_hf(model, weights.params, out, dtype=dtype, overwrite=overwrite, extra_files=extra_files, end_id=end_id, on_write=on_write)
    console.line(f"exported to {out}: {model.parameters:,} parameters of stage {weights.stage} in {dtype}, and the tokenizer")
