"""A learner that holds demonstrations and makes gradient steps on pairs of them."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.typing import StateDict
from torch import Tensor

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.algorithms.core.running_means import RunningMeans

COMPONENT_IMITATION = "imitation"
_MIN_STD = 1e-6  # of an observation's coordinate that never changes


class ImitationLearner(TorchLearner):
    """Base of the imitating learners; a subclass defines optimisers and ``gradient_step``.

    It runs without Ray: build it from a config, let it ``take`` demonstrations and ``learn``.
    """

    def build(self) -> None:
        """Build module and optimisers."""
        super().build()
        # RLlib asks PyTorch for deterministic algorithms, which by default also fills every fresh
        # tensor with NaN; that costs time and does not change any result.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        seed = self.config.seed or 0
        self.noise = torch.Generator(self._device).manual_seed(seed + 1)
        self.updates = 0
        self._means = RunningMeans()

    def take(self, observations: np.ndarray, actions: np.ndarray) -> None:
        """Keep demonstrations, and standardise observations by theirs.

        Args:
            observations: ``[N, obs]``.
            actions: ``[N, action]``, in units of the bounds.
        """
        obs = torch.tensor(observations, dtype=torch.float32, device=self._device)
        module = self.own_module
        module.obs_mean.copy_(obs.mean(0))
        module.obs_std.copy_(obs.std(0, correction=0).clamp_min(_MIN_STD))
        self._features = module.features(obs)
        self._actions = torch.tensor(actions, dtype=torch.float32, device=self._device)

    def learn(self, num_updates: int) -> dict[str, float]:
        """Make gradient steps on pairs drawn with replacement.

        Returns:
            Means of what ``gradient_step`` reports.

        Raises:
            NonFiniteLossError: If a loss became NaN or infinite.
        """
        size = (self.config.train_batch_size,)
        for _update in range(num_updates):
            rows = torch.randint(
                len(self._actions), size, generator=self.noise, device=self._device
            )
            self._means.add(self.gradient_step(self._features[rows], self._actions[rows]))
            self.updates += 1
        statistics = self._means.pop()
        bad = {name: value for name, value in statistics.items() if not math.isfinite(value)}
        if bad:
            raise NonFiniteLossError(bad, 0, self.updates)
        self._weights_seq_no += 1
        return statistics

    def gradient_step(self, features: Tensor, actions: Tensor) -> dict[str, Tensor]:
        """Make one update.

        Args:
            features: Standardised observations of the expert, ``[B, obs]``.
            actions: Its actions, ``[B, action]``.

        Returns:
            Scalars to report, always under the same names.
        """
        raise NotImplementedError

    def compute_loss_for_module(self, **kwargs: Any) -> Tensor:
        """Not used: ``gradient_step`` computes every loss."""
        raise NotImplementedError("the imitating learners update through gradient_step")

    @property
    def own_module(self) -> Any:
        """The method's module."""
        return self.module[DEFAULT_MODULE_ID].unwrapped()

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> StateDict:
        """RLlib's state (module, optimisers), noise and counter; demonstrations are read anew."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(COMPONENT_IMITATION, components, not_components):
            state[COMPONENT_IMITATION] = {
                "noise": self.noise.get_state().cpu().numpy(),
                "updates": self.updates,
            }
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned; weights are always taken, whatever their age."""
        self._weights_seq_no = 0
        super().set_state(state)
        if COMPONENT_IMITATION in state:
            own = state[COMPONENT_IMITATION]
            self.noise.set_state(torch.as_tensor(own["noise"]))
            self.updates = int(own["updates"])
