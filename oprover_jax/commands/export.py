"""`oprover export`: export the latest policy of a run, with its tokenizer, in Hugging Face format."""

import json
from pathlib import Path

from oprover_jax.data.tokenizer import END, PAD, load_tokenizer
from oprover_jax.models.hf.export import Dtype, check_target, export_hf
from oprover_jax.models.hf.names import hf_tensors
from oprover_jax.posttraining.policy import trained_policy
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import make_mesh


def export_run(run: Path, out: Path, dtype: Dtype, overwrite: bool, console: ProgressConsole) -> None:
    """Write the latest policy of a run and its tokenizer to `out`.

    Raises:
      InputError: `run` is not a run folder or has no policy yet, or `out` is not empty. Nothing is written.
    """
    folder, experiment = open_run(run)
    check_target(out, overwrite)
    stage, params = trained_policy(folder, experiment, make_mesh(experiment.mesh))
    tokenizer = folder.stage("tokenizer") / "tokenizer.json"
    end_id, tokenizer_files = load_tokenizer(tokenizer).end_id, tokenizer_of_run(tokenizer, experiment.engine.max_len)
    written: list[str] = []
    with console.stage(1, 1, "export") as progress:
        progress.total(len(hf_tensors(experiment.model)))

        def on_write(name: str, _: int) -> None:
            written.append(name)
            progress.update(len(written), name)

        export_hf(
            experiment.model, params, out, dtype=dtype, overwrite=overwrite, extra_files=tokenizer_files, end_id=end_id, on_write=on_write
        )
    console.line(f"exported to {out}: {experiment.model.parameters:,} parameters of stage {stage} in {dtype}, and the tokenizer")


def tokenizer_of_run(path: Path, max_len: int) -> dict[str, bytes]:
    """Return the tokenizer files that transformers loads, by name; `max_len` is the longest training sequence, in tokens."""
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": PAD, "model_max_length": max_len}
    return {"tokenizer.json": path.read_bytes(), "tokenizer_config.json": json.dumps(settings, indent=2).encode()}
