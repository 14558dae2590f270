"""One-hot skills: how they are drawn, and how different they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.hyperparameters import Hyperparameter

SKILL_SETTINGS: Mapping[str, Hyperparameter] = {
    "evaluate_skills": Hyperparameter(
        False,
        "an evaluation also runs evaluation_duration episodes of each skill by itself",
        choices=(True, False),
    ),
    "test_time_prior": Hyperparameter(
        "uniform",
        "p(z) of an evaluation; adaptive: proportional to 1 / (latent_prior_coeff + rollouts of z)",
        "released code: adaptive; app. B.1: uniform",
        choices=("uniform", "adaptive"),
    ),
    "latent_prior_coeff": Hyperparameter(
        1.0, "c of the adaptive prior; larger is more uniform", "table 3", low=1e-6
    ),
}


class SkillPrior:
    """p(z): draws a one-hot skill for every episode that starts, uniformly in training.

    The released code tests with p(z) proportional to (1 + successes of z) / (c + rollouts of z).
    What is measured is the first success, and before it no skill has any, whatever the goal: so a
    single sequence of episodes drawn from 1 / (c + rollouts of z) serves every goal. A rollout
    counts when it starts, because copies of the environment run side by side.

    Args:
        skills: n.
        adaptive: Whether evaluations adapt p(z).
        coeff: c.
    """

    def __init__(self, skills: int, adaptive: bool, coeff: float) -> None:
        self.skills = skills
        self.adaptive = adaptive
        self.coeff = coeff
        self._fixed: int | None = None
        self._rollouts: Tensor | None = None

    def start_evaluation(self, skill: int | None = None) -> None:
        """Count rollouts from zero, or let every episode use one ``skill``."""
        self._fixed = skill
        self._rollouts = torch.zeros(self.skills) if self.adaptive else None

    def draw(self, episodes: int, generator: torch.Generator) -> Tensor:
        """One-hot skills of episodes that start now, ``[episodes, n]`` float32."""
        if self._fixed is not None:
            chosen = torch.full((episodes,), self._fixed)
        elif self._rollouts is not None:
            chosen = torch.cat([self._adapt(self._rollouts, generator) for _ in range(episodes)])
        else:
            chosen = torch.randint(self.skills, (episodes,), generator=generator)
        return functional.one_hot(chosen, self.skills).float()

    def _adapt(self, rollouts: Tensor, generator: torch.Generator) -> Tensor:
        skill = torch.multinomial(1.0 / (self.coeff + rollouts), 1, generator=generator)
        rollouts[skill] += 1
        return skill


def pairwise_total_variation(visits: Sequence[NDArray[np.number]]) -> float:
    """Mean total variation between the visit distributions of every two skills.

    Args:
        visits: Counts of each skill over the same cells, of any shape.

    Returns:
        0 (all skills go to the same places) to 1 (no two ever visit the same cell).
    """
    shares = [counts / counts.sum() for counts in visits]
    distances = [
        0.5 * np.abs(first - second).sum()
        for index, first in enumerate(shares)
        for second in shares[index + 1 :]
    ]
    return float(np.mean(distances))
