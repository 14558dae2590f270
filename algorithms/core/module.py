"""What the off-policy core asks of a module: a policy, and a context drawn once an episode."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor


class OffPolicyModule(TorchRLModule, InferenceOnlyAPI):
    """Base of the off-policy modules: continuous actions in (-1, 1), optional episode context.

    A context is a vector drawn when an episode starts and constant until it ends (a skill, a
    latent). The env runner asks for it, hands it to ``act`` and stores it as a column.
    """

    model_config: dict[str, Any]

    def setup(self) -> None:
        """Check the spaces; subclasses call this first and then build their networks.

        Raises:
            ValueError: If observations are not a flat box or actions are not a bounded box.
        """
        check_spaces(self.observation_space, self.action_space)
        self.obs_dim: int = self.observation_space.shape[0]
        self.action_dim: int = self.action_space.shape[0]

    @property
    def context_dim(self) -> int:
        """Width of the episode context; 0 for none."""
        return 0

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """Contexts of episodes that start now, ``[episodes, context_dim]``."""
        return torch.empty(episodes, 0)

    def start_evaluation(self, skill: int | None = None) -> None:
        """Episodes of an evaluation follow.

        Args:
            skill: The one skill that every episode shall use, for methods that have skills.
        """

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Choose actions.

        Args:
            obs: ``[n, obs]`` float32.
            context: ``[n, context_dim]``.
            generator: Source of the exploration noise.
            explore: Draw from the policy; otherwise take its mode.

        Returns:
            ``[n, action]`` in (-1, 1), to be scaled to the environment's bounds.
        """
        raise NotImplementedError

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        obs = torch.as_tensor(batch[Columns.OBS], dtype=torch.float32)
        context = batch.get("context")
        if context is None:
            context = self.draw_context(len(obs), torch.Generator().manual_seed(0))
        return {Columns.ACTIONS: self.act(obs, context, None, bool(kwargs.get("explore")))}

    def _forward_exploration(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        with torch.no_grad():
            return self._forward(batch, explore=True)


class ActionScaler:
    """Maps actions from (-1, 1) to the bounds of a box."""

    def __init__(self, space: gym.spaces.Box) -> None:
        self._centre = ((space.high + space.low) / 2).astype(np.float32)
        self._half_width = ((space.high - space.low) / 2).astype(np.float32)
        self._is_identity = bool(np.all(self._centre == 0) and np.all(self._half_width == 1))

    def __call__(self, actions: np.ndarray) -> np.ndarray:
        """Scale ``actions`` ``[..., A]``."""
        return actions if self._is_identity else self._centre + self._half_width * actions

    def inverse(self, actions: np.ndarray) -> np.ndarray:
        """Undo the scaling of ``actions`` ``[..., A]``."""
        return actions if self._is_identity else (actions - self._centre) / self._half_width


def check_spaces(observation_space: gym.Space, action_space: gym.Space) -> None:
    """Raise ``ValueError`` unless observations are a flat box and actions a bounded flat box."""
    if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 1:
        raise ValueError(
            f"observation space {observation_space}: the off-policy methods need a flat Box; "
            "wrap the environment in gymnasium.wrappers.FlattenObservation"
        )
    if not isinstance(action_space, gym.spaces.Box) or len(action_space.shape) != 1:
        raise ValueError(
            f"action space {action_space}: the off-policy methods need continuous actions (a Box)"
        )
    if not action_space.is_bounded():
        raise ValueError(
            f"action space {action_space} is unbounded: "
            "wrap the environment in gymnasium.wrappers.RescaleAction"
        )
