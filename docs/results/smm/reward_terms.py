"""What SMM's rewards are made of at the end of training, and how good its density is.

    python docs/results/smm/reward_terms.py RUN [--variants smm,icm] [--object 4,5] [--cell 0.05]

RUN is the folder of a finished run. Of the whole replay of every seed: mean and standard deviation
of the environment's reward and of the bonus, both weighted as the learner weights them; the share
of states whose object is not in its commonest cell, where it begins; the bonus of these less that
of the others; the share of the bonus's variance that the object's cell explains; and for SMM, where
its density is one (`vae_elbo`), that density against a kernel estimate of the same resolution.
`--object` names the object's coordinates in an observation, the block's by default; D'Claw's valve
is `--object 11 --cell 0.0556`. For methods of a single skill whose bonus is not stored, as
Pseudocount's is.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from expedition.algorithms.core.replay import Batch
from expedition.algorithms.core.rllib import local_learner
from expedition.platform.evaluation import open_checkpoint, restored

POSTERIOR_SAMPLES = 64  # of the bound; the learner's own two would add noise
KERNELS = 8192  # replayed states; as many others are scored


def log_q(learner: Any, states: Tensor) -> Tensor:
    """Log q(s) ``[B]`` of whitened states, of a model of one skill."""
    density = learner.smm.density
    density.samples = POSTERIOR_SAMPLES
    no_skills = states.new_zeros(len(states), 0)
    chunks = zip(states.split(1024), no_skills.split(1024), strict=True)
    return torch.cat([density.evaluate(*chunk).log_prob for chunk in chunks])


def log_kernel_density(states: Tensor, kernels: Tensor, width: float) -> Tensor:
    """Log of a mean of Gaussians of standard deviation ``width`` at ``kernels``, ``[B]``."""
    exponents = -0.5 * (torch.cdist(states, kernels) / width).square()
    normaliser = states.shape[1] * math.log(width * math.sqrt(2 * math.pi)) + math.log(len(kernels))
    return exponents.logsumexp(1) - normaliser


def bonus_of(learner: Any, batch: Batch) -> Tensor:
    """The weighted bonus of every transition ``[B]``; nothing where there is none."""
    if hasattr(learner, "smm"):
        states = learner.smm.whiten(batch["obs"])
        return -learner.config.state_entropy_coeff * log_q(learner, states)
    if not hasattr(learner, "bonus"):
        return torch.zeros(len(batch["rewards"]))
    return learner.config.intrinsic_coeff * learner.bonus.reward(batch)


def explained(values: Tensor, cells: Tensor) -> float:
    """Share of the variance of ``values`` that lies between the groups ``cells``, both ``[B]``."""
    sizes = torch.bincount(cells).clamp(min=1)
    means = torch.bincount(cells, values.double()) / sizes
    return (means[cells].var() / values.double().var()).item()


def of_density(learner: Any, batch: Batch) -> dict[str, float]:
    """Log q beside a kernel estimate, on replayed states that the estimate is not made of."""
    order = torch.randperm(len(batch["obs"]), generator=torch.Generator().manual_seed(0))
    states = learner.smm.whiten(batch["obs"])[order]
    kernels, scored = states[:KERNELS], states[KERNELS : 2 * KERNELS]
    model = log_q(learner, scored)
    kernel = log_kernel_density(scored, kernels, learner.smm.density.noise)
    return {
        "log q": model.mean().item(),
        "kernel estimate": kernel.mean().item(),
        "rank correlation": float(spearmanr(model, kernel).statistic),
    }


@torch.no_grad()
def numbers(learner: Any, axes: list[int], cell: float) -> dict[str, float]:
    """The numbers of a trained learner."""
    batch = learner.replay.newest(len(learner.replay))
    target = getattr(learner.config, "reward_coeff", 1.0) * batch["rewards"]
    bonus = bonus_of(learner, batch)
    places = (batch["obs"][:, axes] / cell).floor().long()
    _, cells = places.unique(dim=0, return_inverse=True)
    moved = cells != cells.mode().values
    found = {
        "reward": target.mean().item(),
        "reward, deviation": target.std().item(),
        "moved": moved.float().mean().item(),
    }
    if bonus.any():
        found |= {
            "bonus": bonus.mean().item(),
            "bonus, deviation": bonus.std().item(),
            "bonus, moved less not": (bonus[moved].mean() - bonus[~moved].mean()).item(),
            "bonus, by the object": explained(bonus, cells),
        }
    is_density = hasattr(learner, "smm") and learner.config.density == "vae_elbo"
    return found | (of_density(learner, batch) if is_density else {})


def main() -> None:
    """Print a line for every number of every variant: mean, and each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--variants", default="sac,icm,count,smm")
    parser.add_argument("--object", default="4,5")
    parser.add_argument("--cell", type=float, default=0.05)
    chosen = parser.parse_args()
    axes = [int(axis) for axis in chosen.object.split(",")]
    for variant in chosen.variants.split(","):
        of_seeds = []
        for trial in sorted(chosen.run.glob(f"trials/*/{variant}/seed_*")):
            with restored(open_checkpoint(trial)) as algorithm:
                of_seeds.append(numbers(local_learner(algorithm.learner_group), axes, chosen.cell))
        for name in of_seeds[0]:
            values = np.array([found[name] for found in of_seeds])
            print(f"{variant:12s} {name:24s} {values.mean():8.3f}   {values.round(3)}")


if __name__ == "__main__":
    main()
