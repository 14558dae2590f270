"""One gripper and one block on a planar table, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.planar_rendering import TableRenderer
from expedition.envs.manipulation.planar_world import PlanarWorld, action_space, observation_space
from expedition.envs.manipulation.reward import ManipulationReward, Target
from expedition.envs.manipulation.tracker import ManipulationTracker

RENDER_FPS = 20

Array = NDArray[np.float64]


class ManipulationPlanarEnv(gym.Env[Array, NDArray[np.float32]]):
    """Push a block about a table top; a planar stand-in for the Fetch arm, a thousand times faster.

    Same task, reward, table, start and goals as
    :class:`~expedition.envs.manipulation.fetch_env.ManipulationFetchEnv`, without the third
    dimension. Registered as ``expedition/ManipulationPlanar-v0``, with a horizon of 50 steps
    (``max_episode_steps``).

    ## Observation space: ``Box(10, float64)``, finite

    | index | name | unit | range |
    |-------|------|------|-------|
    | 0-3   | action taken; 0 at the start | - | -1 to 1 |
    | 4, 5  | block x, y | m | 0.89 to 1.71, 0.23 to 1.23 |
    | 6     | block z: 0.425 on the table, 0 when fallen | m | 0 to 0.425 |
    | 7, 8  | gripper x, y | m | 0.95 to 1.65, 0.29 to 1.17 |
    | 9     | gripper z: always 0.425 | m | 0 to 0.425 |

    ## Action space: ``Box(-1, 1, (4,), float32)``

    | index | name | unit | range |
    |-------|------|------|-------|
    | 0, 1  | displacement of the gripper in x, y | 0.05 m | -1 to 1 |
    | 2, 3  | without effect, but they cost like the others | - | -1 to 1 |

    Actions outside the range are clipped.

    ## Dynamics
    Gripper and block are discs of radius 0.03. The gripper goes where it is told, up to 0.05 beyond
    the table's edges; the block gives way along the line between the centres.

    ## Reward
    The sum of the terms of :class:`~expedition.envs.manipulation.reward.ManipulationReward`;
    ``info["reward_terms"]`` holds each.

    ## Episodes
    Start with the block at (1.30, 0.73) and the gripper at (1.41, 0.78), 0.121 m from it. Nothing
    is random. An episode terminates when the block's centre leaves the table, [1.0, 1.6] x
    [0.34, 1.12]. The time limit truncates it.

    ## Versions
    v0: first version.

    Args:
        target: ``"uniform"`` over the table, or ``"half"``: denser on the left half (larger y).
        terminate: Whether leaving the table ends the episode; off for tests of exploration.
        near_weight: Reward while gripper and block are closer than 0.1 m.
        side_weight: Reward while the block is on the left half, if that is the target.
        y_bin: Metres; bins of the coverage metrics ``target_kl`` and ``target_tv``.
        window_steps: Recent states behind the coverage metrics.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        target: Target = "uniform",
        *,
        terminate: bool = True,
        near_weight: float = 1.0,
        side_weight: float = 1.0,
        y_bin: float = 0.01,
        window_steps: int = 5_000,
        render_mode: str | None = None,
    ) -> None:
        reward = ManipulationReward(target, "table", near_weight, side_weight)
        self._side_target = SideTarget(reward.left_log_weight, y_bin)
        self._window_steps = window_steps
        self._terminate = terminate
        self.reward_terms = reward.names
        self.observation_space = observation_space()
        self.action_space = action_space()
        self.render_mode = render_mode
        self._world = PlanarWorld(reward, agents=1)
        self._renderer = TableRenderer() if render_mode == "rgb_array" else None
        self._trail: list[Array] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Put block and gripper at their start.

        Args:
            seed: Seeds ``np_random``; the environment itself draws nothing from it.
            options: Ignored.

        Returns:
            The observation, shape (10,), and an empty info.
        """
        super().reset(seed=seed)
        self._world.reset(slice(None))
        observation = self._world.observations[0]
        self._trail = [observation.copy()]
        return observation, {}

    def step(self, action: NDArray[np.floating]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Move the gripper.

        Args:
            action: Shape (4,), clipped to [-1, 1].

        Returns:
            Observation, reward, whether the block left the table, False, and the reward's terms.

        Raises:
            ValueError: If the action is NaN or not of shape (4,).
        """
        rewards, is_off, terms = self._world.step(np.asarray(action)[None])
        observation = self._world.observations[0]
        if self._renderer is not None:
            self._trail.append(observation.copy())
        info = {"reward_terms": {name: float(value[0]) for name, value in terms.items()}}
        return observation, float(rewards[0]), self._terminate and bool(is_off[0]), False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the table, the block, its trail in this episode, and the gripper: (400, 480, 3)."""
        if self._renderer is None:
            return None
        return self._renderer.draw(np.array(self._trail))

    def coverage_tracker(self) -> ManipulationTracker:
        """Return a new tracker of where block and gripper have been."""
        return ManipulationTracker(LAYOUTS["paper"], "table", self._side_target, self._window_steps)

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"world": self._world.state_dict(), "trail": np.array(self._trail)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        self._world.load_state_dict(state["world"])
        self._trail = list(np.array(state["trail"]).reshape(-1, LAYOUTS["paper"].size))
