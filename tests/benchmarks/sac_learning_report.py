"""Draws the curves that ``sac_learning.py`` wrote and prints their last scores.

python tests/benchmarks/sac_learning_report.py docs/benchmarks/sac_learning.jsonl
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

COLOURS = {"expedition": "#0072B2", "sb3": "#D55E00"}
LABELS = {"expedition": "expedition", "sb3": "Stable-Baselines3"}


def main(path: Path) -> None:
    """Write ``<path>.png`` and a table to standard output."""
    rows = pd.read_json(path, lines=True)
    envs = sorted(rows["env"].unique())
    figure, axes = plt.subplots(1, len(envs), figsize=(4.6 * len(envs), 3.4), squeeze=False)
    for axis, env in zip(axes[0], envs, strict=True):
        for library, runs in rows[rows["env"] == env].groupby("library"):
            for _, run in runs.groupby("seed"):
                axis.plot(run["env_steps"], run["return"], color=COLOURS[library], alpha=0.35, lw=1)
            mean = runs.groupby("env_steps")["return"].mean()
            axis.plot(mean.index, mean, color=COLOURS[library], lw=2, label=LABELS[library])
        axis.set(title=env, xlabel="environment steps", ylabel="return of the mode")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path.with_suffix(".png"), dpi=110)
    last = rows[rows["env_steps"] > rows["env_steps"].max() - 20_000]
    scores = last.groupby(["env", "library", "seed"])["return"].mean().unstack("seed").round(0)
    print("mean return over the last 20,000 steps, by seed\n")
    print(scores.to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
