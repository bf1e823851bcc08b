"""A training step on the CPU compared with google-tunix and transformers with torch: same model and batch, each in its own process."""

import sys
from pathlib import Path

import tyro
from common import ROOT, contestant, report


def main(
    vocab: int = 1024,
    layers: int = 5,
    embed: int = 192,
    q_heads: int = 6,
    kv_heads: int = 2,
    head_dim: int = 32,
    mlp: int = 512,
    rows: int = 8,
    length: int = 128,
    steps: int = 10,
    repeats: int = 3,
    tunix: Path = ROOT / ".venv-tunix" / "bin" / "python",
    torch: Path = ROOT / ".venv-transformers" / "bin" / "python",
) -> None:
    """Run the three alternately and print the fastest step of each, as tokens per second and as ratios.

    Args:
      vocab: Size of the vocabulary.
      layers: Number of layers.
      embed: Width of the model.
      q_heads: Number of query heads.
      kv_heads: Number of key heads.
      head_dim: Width of a head.
      mlp: Width of the MLP.
      rows: Rows per batch, all full.
      length: Tokens per row.
      steps: Timed steps per process, after three untimed ones.
      repeats: Runs of each contestant.
      tunix: Python of an environment with google-tunix (`make peers`).
      torch: Python of an environment with transformers and torch (`make peers`).
    """
    sizes = {"vocab": vocab, "layers": layers, "embed": embed, "q_heads": q_heads, "kv_heads": kv_heads, "head_dim": head_dim, "mlp": mlp}
    sizes |= {"rows": rows, "length": length, "steps": steps}
    contestants = {"ours": (Path(sys.executable), "own_step.py"), "tunix": (tunix, "tunix_step.py"), "torch": (torch, "torch_step.py")}
    turns = [{name: contestant(*what, sizes) for name, what in contestants.items()} for _ in range(repeats)]
    best = {name: min((turn[name] for turn in turns), key=lambda found: found["seconds"]) for name in contestants}
    if len({found["parameters"] for found in best.values()}) > 1:
        raise SystemExit(f"the models differ: { ({name: found['parameters'] for name, found in best.items()}) } parameters")
    report(
        "train_step",
        parameters=best["ours"]["parameters"],
        rows=rows,
        length=length,
        **{f"version_{name}": found["version"] for name, found in best.items()},
        **{f"tokens_per_second_{name}": rows * length / found["seconds"] for name, found in best.items()},
        **{f"mib_{name}": found["mib"] for name, found in best.items()},
        ratio_vs_tunix=best["tunix"]["seconds"] / best["ours"]["seconds"],
        ratio_vs_torch=best["torch"]["seconds"] / best["ours"]["seconds"],
        ratio_memory_vs_tunix=best["tunix"]["mib"] / best["ours"]["mib"],
        ratio_memory_vs_torch=best["torch"]["mib"] / best["ours"]["mib"],
    )


if __name__ == "__main__":
    tyro.cli(main)
