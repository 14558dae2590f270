"""Collects with arrays and hands over RLlib's episodes, one for each chunk of an episode."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.typing import StateDict

from expedition.algorithms.core.env_runner import TransitionEnvRunner, Transitions

_RAW = "raw_actions"


class ChunkEnvRunner(TransitionEnvRunner):
    """Keeps raw actions and their log densities beside the transitions.

    RLlib's env runner builds an episode step by step, which takes longer than the environments
    do; here the chunks of a fragment are cut from its arrays at its end.
    """

    def sample_chunks(
        self, num_steps: int, weights: StateDict | None = None
    ) -> list[SingleAgentEpisode]:
        """Step every copy ``num_steps`` times.

        Returns:
            Chunks of episodes with unfiltered observations, raw actions and ``action_logp``: those
            of the first copy in order, then of the second, and so on.
        """
        flat = self.sample(num_steps=num_steps, weights=weights)
        columns = {
            name: column.reshape(num_steps, self.num_envs, *column.shape[1:])
            for name, column in flat.items()
        }
        return [
            chunk
            for copy in range(self.num_envs)
            for chunk in self._chunks({name: column[:, copy] for name, column in columns.items()})
        ]

    def choose_actions(self, columns: Transitions, t: int, explore: bool) -> np.ndarray:
        """Draw actions and note their raw forms; see ``TransitionEnvRunner.choose_actions``."""
        if not explore:
            return super().choose_actions(columns, t, explore)
        draw = self.module.draw(torch.from_numpy(self._obs), self._generator)
        columns[_RAW][t] = draw.raw.numpy()
        columns[Columns.ACTION_LOGP][t] = draw.log_prob.numpy()
        return self.module.to_action(draw.raw).numpy()

    def _allocate(self, num_steps: int) -> Transitions:
        columns = super()._allocate(num_steps)
        columns[_RAW] = np.empty_like(columns["actions"])
        columns[Columns.ACTION_LOGP] = np.empty_like(columns["rewards"])
        return columns

    def _chunks(self, columns: dict[str, Any]) -> list[SingleAgentEpisode]:
        """Cut one copy's steps ``[T, ...]`` where an episode ends."""
        ends = np.flatnonzero(columns["terminateds"] | columns["truncateds"]) + 1
        edges = [0, *ends.tolist()]
        if edges[-1] < len(columns["rewards"]):
            edges.append(len(columns["rewards"]))
        return [self._chunk(columns, slice(*edge)) for edge in pairwise(edges)]

    def _chunk(self, columns: dict[str, Any], steps: slice) -> SingleAgentEpisode:
        last = steps.stop - 1
        terminated, truncated = (
            bool(columns["terminateds"][last]),
            bool(columns["truncateds"][last]),
        )
        if self.config.time_limit_is_terminal and truncated:
            terminated, truncated = True, False
        obs = np.concatenate([columns["obs"][steps], columns["next_obs"][last : last + 1]])
        return SingleAgentEpisode(
            observations=obs,
            infos=[{}] * len(obs),
            actions=columns[_RAW][steps],
            rewards=columns["rewards"][steps],
            extra_model_outputs={Columns.ACTION_LOGP: columns[Columns.ACTION_LOGP][steps]},
            terminated=terminated,
            truncated=truncated,
            len_lookback_buffer=0,
        )
