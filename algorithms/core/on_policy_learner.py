"""A learner that makes one update from one batch of whole episodes."""

import math
from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.typing import StateDict
from torch import Tensor

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.algorithms.core.trust_region import Step


class OnPolicyLearner(TorchLearner):
    """Base of the on-policy learners; a subclass defines ``make_update``.

    It runs without Ray: build it from a config, let it ``learn`` from a batch.
    """

    def build(self) -> None:
        """Build the module, and optimisers if the method has any."""
        super().build()
        # RLlib asks PyTorch for deterministic algorithms, which by default also fills every fresh
        # tensor with NaN; that costs time and does not change any result.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """A trust-region step has no optimiser."""

    def compute_loss_for_module(self, **kwargs: Any) -> Tensor:
        """Not used: ``make_update`` computes every loss."""
        raise NotImplementedError("the on-policy learners update through learn")

    def learn(self, batch: Any, env_steps: int, updates: int) -> dict[str, float]:
        """Make one update.

        Args:
            batch: What was sampled, in the form the method uses.
            env_steps: Environment steps so far, for error messages.
            updates: Updates so far, likewise.

        Returns:
            Statistics to report.

        Raises:
            NonFiniteLossError: If a statistic is NaN or infinite.
        """
        statistics = self.make_update(batch)
        bad = {name: value for name, value in statistics.items() if not math.isfinite(value)}
        if bad:
            raise NonFiniteLossError(bad, env_steps, updates)
        self._weights_seq_no += 1
        return statistics

    def make_update(self, batch: Any) -> dict[str, float]:
        """Update the module from ``batch``; return statistics."""
        raise NotImplementedError

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned; weights are always taken, whatever their age."""
        self._weights_seq_no = 0
        super().set_state(state)

    @property
    def own_module(self) -> Any:
        """The method's module."""
        return self.module[DEFAULT_MODULE_ID].unwrapped()

    def tensor(self, array: Any, dtype: torch.dtype = torch.float64) -> Tensor:
        """Copy an array to the learner's device; what an actor sent is read-only."""
        return torch.tensor(array, dtype=dtype, device=self._device)


def step_statistics(step: Step) -> dict[str, float]:
    """What to report of a trust-region step; means over independent problems."""
    return {
        "policy_loss": step.loss_after.mean().item(),
        "loss_change": (step.loss_after - step.loss_before).mean().item(),
        "kl": step.kl.mean().item(),
        "kl_largest": step.kl.max().item(),
        "accepted": step.accepted.double().mean().item(),
        "backtracks": step.backtracks.mean().item(),
    }
