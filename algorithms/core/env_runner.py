"""An RLlib env runner that returns columns of arrays instead of episode objects."""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.counted_episodes import CountedEpisodes, Episode, EpisodeScores
from expedition.algorithms.core.module import ActionScaler, check_spaces
from expedition.algorithms.core.term_sums import TermSums
from expedition.algorithms.core.vector_env import make_vector_env
from expedition.envs.coverage import CoverageTracker, tracker_for
from expedition.envs.reward_terms import reward_terms
from expedition.envs.snapshot import capture, restore

COMPONENT_ROLLOUT = "rollout"

Transitions = dict[str, np.ndarray]


class TransitionEnvRunner(SingleAgentEnvRunner):
    """Steps a vector environment and returns transitions as arrays.

    Differences from its parent: ``sample`` returns columns ``[T * n, ...]``, time-major; the
    environments reset in the step that ends an episode and the true final observation is stored;
    a context is drawn from the module at every episode start; visited states feed the
    environment's coverage tracker; the state of the environments and of the noise is part of
    ``get_state``. Connectors are not applied: observations must be flat boxes.
    """

    env: Any  # a VectorEnv; None on a runner that only holds connectors

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.worker_index:
            torch.set_num_threads(max(1, int(self.config.num_cpus_per_env_runner)))
        self._generator = torch.Generator()
        self._action_rng = np.random.default_rng()
        self._seed_noise(self._seed)
        self._is_running = False
        self._finished: list[Episode] = []
        self.tracker: CoverageTracker | None = None
        if self.env is not None:
            self.tracker = tracker_for(self.env)

    def make_env(self) -> None:
        """Build the vector environment; see ``make_vector_env``."""
        if self.env is not None:
            self.env.close()
        if not self.config.env:
            raise ValueError("no environment: call config.environment('SomeEnv-v0')")
        context = self.config.env_config
        if not isinstance(context, EnvContext):
            context = EnvContext(context, self.worker_index or 0, num_workers=self.num_workers)
        self.env = make_vector_env(
            self.config.env,
            context,
            self.config.num_envs_per_env_runner,
            self.config.gym_env_vectorize_mode,
        )
        self.num_envs = self.env.num_envs
        check_spaces(self.env.single_observation_space, self.env.single_action_space)
        self._scale = ActionScaler(self.env.single_action_space)
        self._terms = TermSums(reward_terms(self.env), self.num_envs)
        self._is_running = False

    def restart(self, seed: int) -> None:
        """Forget the running episodes; environments, noise and tracker start from ``seed``."""
        self._seed = seed
        self._seed_noise(seed)
        self._is_running = False
        self.tracker = tracker_for(self.env)

    def sample(
        self,
        *,
        num_steps: int,
        explore: bool = True,
        random_actions: bool = False,
        weights: StateDict | None = None,
    ) -> Transitions:
        """Step every environment copy ``num_steps`` times.

        Args:
            num_steps: Steps of each of the n copies (T).
            explore: Draw actions from the policy; otherwise take its mode.
            random_actions: Ignore the policy and act uniformly.
            weights: Module state to load first, for runners in another process.

        Returns:
            ``obs``, ``next_obs`` ``[T * n, obs]``, ``actions`` ``[T * n, action]`` in (-1, 1),
            ``rewards``, ``terminateds``, ``truncateds`` ``[T * n]`` and, where the module has one,
            ``context`` ``[T * n, context]``.
        """
        if weights is not None:
            self.module.set_state(weights)
        if not self._is_running:
            self._start_episodes()
        columns = self._allocate(num_steps)
        with torch.inference_mode():
            for t in range(num_steps):
                self._step(columns, t, explore, random_actions)
        ends = columns["terminateds"] | columns["truncateds"]
        if self.tracker is not None:
            self.tracker.update(columns["next_obs"], ends)
        steps = num_steps * self.num_envs
        self.num_env_steps_sampled_lifetime += steps
        self._increase_sampled_metrics(steps, int(ends.sum()))
        return {name: column.reshape(steps, *column.shape[2:]) for name, column in columns.items()}

    def sample_episodes(
        self, num_episodes: int, explore: bool, contexts: torch.Tensor | None = None
    ) -> EpisodeScores:
        """Run episodes to their end, without keeping transitions; the tracker is not shown them.

        Args:
            num_episodes: Episodes to count, over all copies.
            explore: Draw actions from the policy; otherwise take its mode.
            contexts: Those of the episodes, ``[num_episodes, context]``; as the module draws them
                when not given.

        Returns:
            Scores and states of ``num_episodes`` episodes, copy after copy.
        """
        counted = CountedEpisodes(num_episodes, self.num_envs)
        self._start_episodes()
        with torch.inference_mode():
            while (is_counted := counted.is_counted).any():
                if contexts is not None:
                    self._context[is_counted] = contexts[counted.current[is_counted]]
                columns = self._allocate(1)
                self._finished.clear()
                self._step(columns, 0, explore, False)
                ends = columns["terminateds"] | columns["truncateds"]
                counted.add(columns["next_obs"][0], ends[0], self._finished)
        self._finished.clear()
        self._is_running = False
        return counted.scores(self._terms.names)

    def choose_actions(self, columns: Transitions, t: int, explore: bool) -> np.ndarray:
        """Actions ``[n, action]`` at the present observations; a subclass may add to row t."""
        obs = torch.from_numpy(self._obs)
        return self.module.act(obs, self._context, self._generator, explore).numpy()

    def get_metrics(self) -> ResultDict:
        """Reduced metrics of the episodes finished since the last call."""
        smoothing = self.config.metrics_num_episodes_for_smoothing
        window = -(-smoothing // (self.config.num_env_runners or 1))
        for length, return_, sums in self._finished:
            self._log_episode_metrics(length, return_, 0.0)
            for name, value in zip(self._terms.names, sums, strict=True):
                self.metrics.log_value(("terms", name), value, window=window)
        self._finished.clear()
        return self.metrics.reduce()

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> StateDict:
        """RLlib's state, and the environments, running episodes, noise and tracker."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        has_env = self.env is not None
        if has_env and self._check_component(COMPONENT_ROLLOUT, components, not_components):
            state[COMPONENT_ROLLOUT] = self._rollout_state()
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned; weights are always taken, whatever their age."""
        if COMPONENT_RL_MODULE in state:
            self._weights_seq_no = 0
        super().set_state(state)
        if COMPONENT_ROLLOUT in state:
            self._set_rollout_state(state[COMPONENT_ROLLOUT])

    def _seed_noise(self, seed: int | None) -> None:
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)
        self._action_rng = np.random.default_rng(seed)

    def _start_episodes(self) -> None:
        obs, _ = self.env.reset(seed=self._seed)
        self._obs = np.array(obs, dtype=np.float32)
        self._context = self.module.draw_context(self.num_envs, self._generator)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=int)
        self._terms.clear()
        self._is_running = True

    def _allocate(self, num_steps: int) -> Transitions:
        def empty(*shape: int, dtype: type = np.float32) -> np.ndarray:
            return np.empty((num_steps, self.num_envs, *shape), dtype)

        obs_shape = self.env.single_observation_space.shape
        columns = {
            "obs": empty(*obs_shape),
            "actions": empty(*self.env.single_action_space.shape),
            "rewards": empty(),
            "next_obs": empty(*obs_shape),
            "terminateds": empty(dtype=bool),
            "truncateds": empty(dtype=bool),
        }
        if self._context.shape[1]:
            columns["context"] = empty(self._context.shape[1])
        return columns

    def _step(self, columns: Transitions, t: int, explore: bool, random_actions: bool) -> None:
        if random_actions:
            shape = columns["actions"].shape[1:]
            actions = self._action_rng.uniform(-1, 1, shape).astype(np.float32)
        else:
            actions = self.choose_actions(columns, t, explore)
        next_obs, rewards, terminateds, truncateds, infos = self.env.step(self._scale(actions))
        columns["obs"][t] = self._obs
        columns["actions"][t] = actions
        columns["rewards"][t] = rewards
        columns["next_obs"][t] = next_obs
        columns["terminateds"][t] = terminateds
        columns["truncateds"][t] = truncateds
        if "context" in columns:
            columns["context"][t] = self._context.numpy()
        self._obs[:] = next_obs
        self._returns += rewards
        self._lengths += 1
        ends = terminateds | truncateds
        if self._terms.names:
            self._terms.add(infos, ends)
        if ends.any():
            columns["next_obs"][t, ends] = np.stack(list(infos["final_obs"][ends]))
            self._end_episodes(np.flatnonzero(ends))

    def _end_episodes(self, copies: np.ndarray) -> None:
        for copy in copies:
            sums = self._terms.pop(copy)
            self._finished.append((int(self._lengths[copy]), float(self._returns[copy]), sums))
        self._returns[copies] = 0.0
        self._lengths[copies] = 0
        if self._context.shape[1]:
            self._context[copies] = self.module.draw_context(len(copies), self._generator)

    def _rollout_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "generator": self._generator.get_state().numpy(),
            "action_rng": self._action_rng.bit_generator.state,
            "finished": list(self._finished),
            "is_running": self._is_running,
            "tracker": self.tracker.state_dict() if self.tracker else None,
        }
        if self._is_running:
            state |= {
                "env": capture(self.env),
                "obs": self._obs.copy(),
                "context": self._context.numpy().copy(),
                "returns": self._returns.copy(),
                "lengths": self._lengths.copy(),
                "terms": self._terms.state_dict(),
            }
        return state

    def _set_rollout_state(self, state: dict[str, Any]) -> None:
        self._generator.set_state(torch.as_tensor(state["generator"]))
        self._action_rng.bit_generator.state = state["action_rng"]
        self._finished = list(state["finished"])
        self._is_running = state["is_running"]
        if self.tracker is not None:
            self.tracker.load_state_dict(state["tracker"])
        if self._is_running:
            restore(self.env, state["env"])
            self._obs = state["obs"].copy()
            self._context = torch.tensor(state["context"])
            self._returns = state["returns"].copy()
            self._lengths = state["lengths"].copy()
            self._terms.load_state_dict(state["terms"])
