"""The update of the cross-entropy method: fit the Gaussian to the elite."""

from typing import NamedTuple

import numpy as np
import torch

from expedition.algorithms.cem.population import fitted
from expedition.algorithms.core.on_policy_learner import OnPolicyLearner


class Generation(NamedTuple):
    """Members ``[M, P]`` and their mean returns ``[M]``."""

    members: np.ndarray
    returns: np.ndarray


class CEMLearner(OnPolicyLearner):
    """Fits mean and standard deviation to the best members. Source: Szita & Lőrincz 2006, eq. 2.3.

    It runs without Ray: build it from a config, let it ``learn`` from a ``Generation``.
    """

    def make_update(self, batch: Generation) -> dict[str, float]:
        """Move the Gaussian; report the elite's mean return, the best, and the mean deviation."""
        elites = self.config.elites
        mean, std = fitted(batch.members, batch.returns, elites)
        self.own_module.mean.copy_(self.tensor(mean, torch.float32))
        self.own_module.std.copy_(self.tensor(std, torch.float32))
        return {
            "elite_return": float(np.sort(batch.returns)[-elites:].mean()),
            "best_return": float(batch.returns.max()),
            "parameter_std": float(std.mean()),
        }
