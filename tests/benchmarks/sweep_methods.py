"""Every registered method swept for real, with every scheduler and Optuna: does it end well?

    OMP_NUM_THREADS=1 python tests/benchmarks/sweep_methods.py [--methods sac,maesn] [--kinds pbt]

Each sweep is the command ``expedition sweep`` on a tiny experiment of the method, five iterations
a trial. It has failed when the command does, when a trial is not done, or when its rows are not
one an iteration, each with its values. The Markdown table says of a sweep how many trials were
done and, in brackets, how many were stopped early or, for PBT, how many times a member copied
another. The exit status is 1 when one failed. It takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from expedition.algorithms import registry
from expedition.platform import session
from expedition.platform.building import build_algorithm
from expedition.platform.cli.app import run as command
from expedition.platform.plan import trials_of
from expedition.platform.spec import build
from expedition.platform.store import DONE, RunFolder, TrialFolder

ITERATIONS = 5
KINDS: dict[str, list[str]] = {
    "pbt": ["--scheduler", "pbt", "--samples", "4"],
    "asha": ["--scheduler", "asha", "--samples", "4", "--seeds", "2"],
    "median": ["--scheduler", "median", "--samples", "4", "--seeds", "2"],
    "optuna": ["--searcher", "optuna", "--samples", "3", "--seeds", "2"],
}

GOALS, HALLS, RING, WALK = (
    f"expedition/{name}-v0" for name in ("PointGoals", "Navigation", "Ring", "Imitation1D")
)
OFF_POLICY = {
    "iteration_steps": 20, "warmup_steps": 10, "train_batch_size": 8, "replay_capacity": 200,
}  # fmt: skip
TASKS = {"meta_batch_size": 3, "test_tasks": 2, "test_episodes": 2, "test_steps": 1}
META = {**TASKS, "episodes_per_task": 2}
PPO = {"train_batch_size_per_learner": 64, "num_epochs": 1}
SHOWN = {"demonstrations": "imitation_1d", "demonstration_episodes": 20, "iteration_updates": 5}
RATES = {"loguniform": [1e-4, 1e-2]}
SHARES = {"uniform": [0.8, 1.0]}

# Method -> environment, settings that make it quick, settings to search. Others are off-policy.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a2c": (GOALS, {**PPO, "batches_per_iteration": 2}, {"lr": RATES, "gamma": SHARES}),
    "cem": (GOALS, {"population": 5}, {"elite_fraction": {"choice": [0.2, 0.4, 0.6]}}),
    "clone": (WALK, SHOWN, {"lr": RATES}),
    "ddpg": (GOALS, {**OFF_POLICY, "fragment_steps": 20}, {"q_lr": RATES, "tau": SHARES}),
    "diayn": (HALLS, OFF_POLICY, {"policy_lr": RATES, "intrinsic_coeff": SHARES}),
    "gan_imitation": (WALK, SHOWN, {"policy_lr": RATES}),
    "latent_space": (RING, META, {"gamma": SHARES, "max_kl": RATES}),
    "maesn": (RING, META, {"gamma": SHARES, "kl_weight": RATES}),
    "maml": (RING, META, {"gamma": SHARES, "max_kl": RATES}),
    "nfp": (GOALS, PPO, {"lr": RATES, "clip_param": {"choice": [0.1, 0.2, 0.3]}}),
    "ppo": (GOALS, PPO, {"lr": RATES, "clip_param": {"choice": [0.1, 0.2, 0.3]}}),
    "pseudocount": (HALLS, OFF_POLICY, {"policy_lr": RATES, "intrinsic_coeff": SHARES}),
    "random": (GOALS, OFF_POLICY, {"reward_scale": SHARES}),  # nothing that would change it
    "reinforce": (GOALS, {"batch_steps": 100}, {"policy_lr": RATES, "gamma": SHARES}),
    "rl2": (RING, {**TASKS, "hidden_size": 8}, {"gamma": SHARES, "max_kl": RATES}),
    "smm": (HALLS, OFF_POLICY, {"policy_lr": RATES, "state_entropy_coeff": SHARES}),
    "trpo": (GOALS, {"batch_steps": 100}, {"gae_lambda": SHARES, "max_kl": RATES}),
    "vime": (
        GOALS,
        {"batch_steps": 100, "model_updates": 5, "min_pool_size": 50},
        {"gae_lambda": SHARES, "intrinsic_coeff": RATES},
    ),
}
OTHERS = (GOALS, OFF_POLICY, {"policy_lr": RATES, "gamma": SHARES})
REWARD = {"key": "learner/reward_mean"}  # in ten steps nobody reaches the end of a hall
METRICS = {
    "diayn": REWARD,
    "pseudocount": REWARD,
    "smm": REWARD,
    "clone": {"key": "learner/negative_log_likelihood", "higher_is_better": False},
    "gan_imitation": {"key": "learner/discriminator_loss"},
}


def main() -> int:
    """Run what is asked for and print the table.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(registry.names()))
    parser.add_argument("--kinds", default=",".join(KINDS))
    asked = parser.parse_args()
    kinds = asked.kinds.split(",")
    failed = 0
    with session.ray_session(None, debug=False), tempfile.TemporaryDirectory() as folder:
        specs = [Path(folder) / f"{method}.yaml" for method in asked.methods.split(",")]
        for spec in specs:
            spec.write_text(yaml.safe_dump(experiment_of(spec.stem)), encoding="utf-8")
        print(f"| method | {' | '.join(kinds)} | s |\n|---|{'---|' * len(kinds)}---|", flush=True)
        for spec in specs:
            begun = time.perf_counter()
            cells = [swept(spec, kind, Path(folder) / "results") for kind in kinds]
            failed += sum(cell.startswith("FAILED") for cell in cells)
            seconds = time.perf_counter() - begun
            print(f"| {spec.stem} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)
    return 1 if failed else 0


def experiment_of(method: str) -> dict[str, Any]:
    """Declare a tiny experiment of a method, with a search space."""
    env, settings, search = CASES.get(method, OTHERS)
    declared: dict[str, Any] = {
        "name": f"test/{method}",
        "paper": "test",
        "figure": "none",
        "title": f"Sweep of {method}",
        "env": env,
        "env_config": {} if env == WALK else {"max_episode_steps": 10},
        "variants": {method: {"algorithm": method, "config": settings}},
        "seeds": 1,
        "budget": 1,
        "checkpoint_every": 2,
        "metrics": {"objective": METRICS.get(method, {"key": "train/return_mean"})},
        "search": search,
    }
    (trial,) = trials_of(build(declared, ".".join))
    algorithm = build_algorithm(trial)
    steps = int(algorithm.train()["env_steps"])
    algorithm.stop()
    return {**declared, "budget": ITERATIONS * steps}


def swept(spec: Path, kind: str, results: Path) -> str:
    """Sweep an experiment and say how it ended."""
    name = f"{spec.stem}-{kind}"
    where = ["--results", str(results), "--name", name, "--no-track"]
    with contextlib.redirect_stdout(sys.stderr):
        status = command(["sweep", str(spec), *KINDS[kind], *where])
    folder = RunFolder(results / name)
    trials = [folder.trial(trial_id) for trial_id in folder.trial_ids()]
    wrong = [trial.path.name for trial in trials if fault_of(trial)]
    if status != 0 or wrong or not trials:
        print(f"{name}: status {status}", *map(fault_of, trials), sep="\n", file=sys.stderr)
        return f"FAILED {len(wrong)} of {len(trials)}"
    marks = copies(results / name) if kind == "pbt" else stopped(trials)
    return f"{len(trials)} ({marks})"


def fault_of(trial: TrialFolder) -> str | None:
    """Say what is wrong with a trial that should have ended well."""
    status, rows = trial.status(), trial.rows()
    if status["state"] != DONE:
        return f"{trial.path}: {json.dumps(status)}"
    if [row["iteration"] for row in rows] != list(range(1, len(rows) + 1)):
        return f"{trial.path}: iterations {[row['iteration'] for row in rows]}"
    searched = {f"search/{name}" for name in trial.read_trial()["search"]}
    if not all(searched <= row.keys() for row in rows):
        return f"{trial.path}: rows without {searched}"
    return None


def stopped(trials: list[TrialFolder]) -> int:
    """Count the trials that a scheduler stopped early."""
    return sum(bool(trial.status().get("stopped_early")) for trial in trials)


def copies(run: Path) -> int:
    """Count the times that a member took over another's state: its values change there."""
    changes = 0
    for trial_id in RunFolder(run).trial_ids():
        rows = RunFolder(run).trial(trial_id).rows()
        values = [[v for k, v in row.items() if k.startswith("search/")] for row in rows]
        changes += sum(before != after for before, after in pairwise(values))
    return changes


if __name__ == "__main__":
    sys.exit(main())
