"""What SMM's rewards are made of at the end of training, and how good its density is.

    python docs/results/smm/reward_terms.py RUN [VARIANT ...]

RUN is the folder of a run of `smm/fig3b`. Of the whole replay of every seed: mean and standard
deviation of the environment's reward and of the bonus, both weighted as the learner weights them;
the bonus where the block was moved, less that where it was not; SAC's entropy; and for SMM the
density against a kernel estimate of the same resolution.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from expedition.algorithms.core.replay import Batch
from expedition.algorithms.core.rllib import local_learner
from expedition.platform.evaluation import open_checkpoint, restored

BLOCK = slice(4, 6)  # x, y of the block in an observation
MOVED = 0.05  # metres from where most of the episodes begin
POSTERIOR_SAMPLES = 64  # of the bound; the learner's own two would add noise
KERNELS = 8192  # replayed states; as many others are scored


def log_q(learner, states: Tensor) -> Tensor:
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


def bonus_of(learner, batch: Batch) -> Tensor:
    """The weighted bonus of every transition, ``[B]``; nothing where there is none."""
    if hasattr(learner, "smm"):
        return -learner.config.state_entropy_coeff * log_q(
            learner, learner.smm.whiten(batch["obs"])
        )
    if not hasattr(learner, "bonus"):
        return torch.zeros(len(batch["rewards"]))
    return learner.config.intrinsic_coeff * learner.bonus.reward(batch)


@torch.no_grad()
def numbers(learner) -> dict[str, float]:
    """The numbers of a trained learner."""
    batch = learner.replay.newest(len(learner.replay))
    target = getattr(learner.config, "reward_coeff", 1.0) * batch["rewards"]
    bonus = bonus_of(learner, batch)
    block = batch["obs"][:, BLOCK]
    moved = (block - block.median(0).values).norm(dim=1) > MOVED
    found = {
        "target": target.mean().item(),
        "target, deviation": target.std().item(),
        "bonus": bonus.mean().item(),
        "bonus, deviation": bonus.std().item(),
        "moved": moved.float().mean().item(),
        "bonus, moved less not": (bonus[moved].mean() - bonus[~moved].mean()).item(),
    }
    if hasattr(learner, "smm"):
        order = torch.randperm(len(block), generator=torch.Generator().manual_seed(0))
        states = learner.smm.whiten(batch["obs"])[order]
        kernels, scored = states[:KERNELS], states[KERNELS : 2 * KERNELS]
        model = log_q(learner, scored)
        kernel = log_kernel_density(scored, kernels, learner.smm.density.noise)
        found |= {
            "log q": model.mean().item(),
            "kernel estimate": kernel.mean().item(),
            "rank correlation": float(spearmanr(model, kernel).statistic),
        }
    return found


def main(run: Path, variants: list[str]) -> None:
    """Print a line for every number of every variant: mean, and each seed."""
    for variant in variants:
        trials = sorted(run.glob(f"trials/*/{variant}/seed_*"))
        of_seeds = []
        for trial in trials:
            with restored(open_checkpoint(trial)) as algorithm:
                of_seeds.append(numbers(local_learner(algorithm.learner_group)))
        for name in of_seeds[0]:
            values = np.array([found[name] for found in of_seeds])
            print(f"{variant:12s} {name:24s} {values.mean():8.3f}   {values.round(3)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["sac", "icm", "count", "pseudocount", "smm"])
