"""Plot pass@8 after each stage of the demo, with its interval, as docs/assets/demo.svg.

`python docs/plot_demo.py RUN [RUN ...]` reads report.json of each run, one per seed. Without a run it reads docs/assets/demo.json: the
figures of the table in README.md, kept together with the command that made them, because the runs are not in the repository.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ASSETS = Path(__file__).resolve().parent / "assets"
NAMES = {"cpt": "CPT", "sft": "SFT"}

Points = list[tuple[str, float, float, float]]
"""(stage, pass@8, low, high), in percent."""


def from_report(path: Path) -> tuple[str, Points]:
    """Return the seed and the points of a report.json."""
    report = json.loads(path.read_text(encoding="utf-8"))
    points = []
    for stage in report["stages"]:
        low, high = stage["interval"]
        name = NAMES.get(stage["name"], stage["name"].replace("-", " "))
        points.append((name, 100 * stage["pass_at_8"], 100 * low, 100 * high))
    return str(report["seed"]), points


def from_table(path: Path) -> dict[str, Points]:
    """Return the points of each seed in demo.json."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return {seed: [(name, *values) for name, values in zip(table["stages"], rows)] for seed, rows in table["seeds"].items()}


def plot(seeds: dict[str, Points], path: Path) -> None:
    """Draw one line per seed; the points are moved sideways a little so that the intervals stay apart."""
    plt.rcParams |= {"svg.hashsalt": "oprover", "svg.fonttype": "path", "font.size": 9}
    figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for number, (seed, points) in enumerate(seeds.items()):
        shift = 0.08 * (number - (len(seeds) - 1) / 2)
        places = [place + shift for place in range(len(points))]
        values = [value for _, value, _, _ in points]
        spread = [[value - low for _, value, low, _ in points], [high - value for _, value, _, high in points]]
        axes.errorbar(places, values, yerr=spread, marker="o", markersize=4, elinewidth=0.8, capsize=2.5, label=f"seed {seed}")
    first = next(iter(seeds.values()))
    axes.set_xticks(range(len(first)), [name for name, _, _, _ in first])
    axes.set_ylabel("pass@8 (%)")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main(runs: Sequence[str]) -> None:
    """Plot the runs, or the kept figures if there is none."""
    seeds = dict(from_report(Path(run) / "report.json") for run in runs) if runs else from_table(ASSETS / "demo.json")
    plot(seeds, ASSETS / "demo.svg")
    print(f"written: {ASSETS / 'demo.svg'}")


if __name__ == "__main__":
    main(sys.argv[1:])
