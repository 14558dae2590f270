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
    """p(z): draws a one-hot skill for every episode that starts, uniformly.

    Args:
        skills: n.
    """

    def __init__(self, skills: int) -> None:
        self.skills = skills
        self._fixed: int | None = None

    def start_evaluation(self, skill: int | None = None) -> None:
        """Let every episode use one ``skill``, or none in particular."""
        self._fixed = skill

    def draw(self, episodes: int, generator: torch.Generator) -> Tensor:
        """One-hot skills of episodes that start now, ``[episodes, n]`` float32."""
        if self._fixed is not None:
            chosen = torch.full((episodes,), self._fixed)
        else:
            chosen = torch.randint(self.skills, (episodes,), generator=generator)
        return functional.one_hot(chosen, self.skills).float()


def adaptive_skills(
    skills: int, episodes: int, coeff: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the skills of successive episodes of a test that adapts p(z).

    The released code tests with p(z) proportional to (1 + successes of z) / (c + rollouts of z).
    What is measured is the first success, and before it no skill has any, whatever the goal and
    whatever the episodes bring: so a single sequence, drawn from 1 / (c + rollouts of z) before
    the first episode, serves every goal.

    Args:
        skills: n.
        episodes: Length of the sequence.
        coeff: c.
        rng: Source of the draws.

    Returns:
        Shape ``(episodes,)``, 0 to n - 1.
    """
    rollouts = np.zeros(skills)
    chosen = np.empty(episodes, dtype=np.int64)
    for episode in range(episodes):
        weights = 1.0 / (coeff + rollouts)
        chosen[episode] = rng.choice(skills, p=weights / weights.sum())
        rollouts[chosen[episode]] += 1
    return chosen


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
