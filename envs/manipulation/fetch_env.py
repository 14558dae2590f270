"""The Fetch arm and a block on a table, to be explored. Needs gymnasium-robotics."""

from __future__ import annotations

import contextlib
import io
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from expedition.envs import mujoco_state
from expedition.envs.manipulation.layout import Observation, layout_of
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.reward import ManipulationReward, Target
from expedition.envs.manipulation.table import CENTRE, FallTest
from expedition.envs.manipulation.tracker import ManipulationTracker

try:
    import mujoco

    # Importing it prints a notice about other environments, in every worker.
    with contextlib.redirect_stderr(io.StringIO()):
        from gymnasium_robotics.envs.fetch.pick_and_place import MujocoFetchPickAndPlaceEnv
    from gymnasium_robotics.utils.rotations import mat2euler
except ImportError as missing:
    raise gym.error.DependencyNotInstalled(
        f"expedition/ManipulationFetch-v0 needs gymnasium-robotics ({missing}): "
        "pip install 'expedition[robotics]'"
    ) from missing

Array = NDArray[np.float64]

OPEN_GRIPPER = np.array([0.0, 0.0, 0.0, 1.0])


class ManipulationFetchEnv(MujocoFetchPickAndPlaceEnv):
    """Move a block about a table with the gripper of a Fetch arm; no goal is given.

    The reward is the log-density of a target distribution: keep the block on the table and, with
    ``target="half"``, rather on its left half. Registered as ``expedition/ManipulationFetch-v0``,
    with a horizon of 50 steps (``max_episode_steps``).

    ## Observation space: ``Box(-inf, inf, (25,), float64)``

    | index | name | unit | reached |
    |-------|------|------|---------|
    | 0-2   | gripper x, y, z | m | 0.3 to 1.75, -0.3 to 1.6, 0.05 to 1.35 |
    | 3-5   | block x, y, z | m | 1.0 to 1.6, 0.34 to 1.12, 0.40 to 0.90 on the table or lifted |
    | 6-8   | block minus gripper | m | -1 to 1 |
    | 9-10  | right and left finger joint | m | 0 to 0.06 |
    | 11-13 | block's Euler angles | rad | -pi to pi |
    | 14-16 | block's velocity relative to the gripper, times 0.04 s | m | -0.05 to 0.05 |
    | 17-19 | block's angular velocity, times 0.04 s | rad | -1.2 to 1.2 |
    | 20-22 | gripper's velocity, times 0.04 s | m | -0.04 to 0.04 |
    | 23-24 | right and left finger velocity, times 0.04 s | m | -0.03 to 0.08 |

    With ``observation="paper"``, ``Box(-inf, inf, (10,), float64)``: the action taken (0-3, zero at
    the start), the block's x, y, z (4-6) and the gripper's (7-9). The simulator sets no bounds; the
    table says what random and held actions reach.

    ## Action space: ``Box(-1, 1, (4,), float32)``

    | index | name | unit | range |
    |-------|------|------|-------|
    | 0-2 | displacement of the gripper in x, y, z | 0.05 m | -1 to 1 |
    | 3   | opening (+) or closing (-) the fingers | - | -1 to 1 |

    Actions outside the range are clipped. A step is 20 simulator steps of 2 ms.

    ## Reward
    The sum of the terms of :class:`~expedition.envs.manipulation.reward.ManipulationReward`;
    ``info["reward_terms"]`` holds each.

    ## Episodes
    Start with the block at the centre (1.30, 0.73), the gripper at (1.342, 0.749, 0.535), 0.119 m
    from it, and its fingers opening. Nothing is random. An episode terminates when the block leaves
    the table: its centre below 0.40 m (``fall_test="strict"``: 0.42 m) or outside [1.0, 1.6] x
    [0.34, 1.12]. The time limit truncates it.

    ## Source
    ``ManipulationEnv`` in the code of Lee et al. 2019 (arXiv:1906.05274), on the pick-and-place
    scene of Plappert et al. 2018. Differences: MuJoCo 3 simulates; blocks pressed into the table do
    not count as fallen unless ``fall_test="strict"``; the weight of ``near`` is the paper's 1, not
    the code's 0.1; ``side`` is paid only on the table; the time limit is a truncation.

    ## Versions
    v0: first version.

    Args:
        target: ``"uniform"`` over the table, or ``"half"``: denser on the left half.
        fall_test: ``"table"`` or, as released, ``"strict"``.
        observation: ``"full"``, or the 10 coordinates of ``"paper"``.
        terminate: Whether leaving the table ends the episode; off for tests of exploration.
        near_weight: Reward while gripper and block are closer than 0.1 m.
        side_weight: Reward while the block is on the left half, if that is the target.
        y_bin: Metres; bins of the coverage metrics ``target_kl`` and ``target_tv``.
        window_steps: Recent states behind the coverage metrics.
        render_mode: ``"rgb_array"``, ``"human"`` or ``None``.
        width: Of a frame, in pixels.
        height: Of a frame, in pixels.

    Raises:
        ValueError: If an argument is outside its range.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["human", "rgb_array"], "render_fps": 25}

    def __init__(
        self,
        target: Target = "uniform",
        *,
        fall_test: FallTest = "table",
        observation: Observation = "full",
        terminate: bool = True,
        near_weight: float = 1.0,
        side_weight: float = 1.0,
        y_bin: float = 0.01,
        window_steps: int = 5_000,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
    ) -> None:
        self._reward = ManipulationReward(target, fall_test, near_weight, side_weight)
        self._side_target = SideTarget(self._reward.left_log_weight, y_bin)
        self._layout = layout_of(observation)
        self._is_paper = observation == "paper"
        self._terminate = terminate
        self._window_steps = window_steps
        self._action = np.zeros(4)
        super().__init__(render_mode=render_mode, width=width, height=height)
        EzPickle.__init__(
            self,
            target,
            fall_test=fall_test,
            observation=observation,
            terminate=terminate,
            near_weight=near_weight,
            side_weight=side_weight,
            y_bin=y_bin,
            window_steps=window_steps,
            render_mode=render_mode,
            width=width,
            height=height,
        )
        self.reward_terms = self._reward.names
        self.observation_space = spaces.Box(-np.inf, np.inf, (self._layout.size,), np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Put block and arm at their start.

        Args:
            seed: Seeds ``np_random``; the environment itself draws nothing from it.
            options: Ignored.

        Returns:
            The observation and an empty info.
        """
        gym.Env.reset(self, seed=seed)  # past the parents', which want a goal
        mujoco.mj_resetData(self.model, self.data)
        self.data.time = self.initial_time
        self.data.qpos[:] = self.initial_qpos
        self.data.qvel[:] = self.initial_qvel
        self.data.joint("object0:joint").qpos[:2] = CENTRE
        mujoco.mj_forward(self.model, self.data)
        self._advance(OPEN_GRIPPER)
        self._action = np.zeros(4)
        return self._observe(), {}

    def step(self, action: NDArray[np.floating]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Move the gripper for 0.04 s.

        Args:
            action: Shape (4,), clipped to [-1, 1].

        Returns:
            Observation, reward, whether the block left the table, False, and the reward's terms.

        Raises:
            ValueError: If the action is NaN or not of shape (4,).
        """
        self._action = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        if self._action.shape != (4,) or np.isnan(self._action).any():
            raise ValueError(f"an action must be 4 numbers, got {action}")
        self._advance(self._action)
        block, gripper = self.data.site_xpos[[self._block, self._gripper], None]
        values = self._reward.terms(block, gripper, self._action[None])
        terms = {name: float(v[0]) for name, v in zip(self.reward_terms, values, strict=True)}
        terminated = self._terminate and terms["off_table"] < 0.0
        if self.render_mode == "human":
            self.render()
        return self._observe(), sum(terms.values()), terminated, False, {"reward_terms": terms}

    def coverage_tracker(self) -> ManipulationTracker:
        """Return a new tracker of where block and gripper have been."""
        return ManipulationTracker(
            self._layout, self._reward.fall_test, self._side_target, self._window_steps
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"simulation": mujoco_state.capture(self.data), "action": self._action.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        mujoco_state.restore(self.data, state["simulation"])
        self._action = np.array(state["action"], dtype=np.float64)

    def _initialize_simulation(self) -> None:
        super()._initialize_simulation()
        # Not drawn: there is no goal, and the body that the arm follows is a cross of long beams.
        self.model.site("target0").rgba[3] = 0.0
        self.model.geom_rgba[self.model.geom_bodyid == self.model.body("robot0:mocap").id, 3] = 0.0
        self._gripper = self.model.site("robot0:grip").id
        self._block = self.model.site("object0").id
        fingers = [self.model.joint(f"robot0:{side}_gripper_finger_joint").id for side in "rl"]
        self._finger_qpos = self.model.jnt_qposadr[fingers]
        self._finger_qvel = self.model.jnt_dofadr[fingers]

    def _render_callback(self) -> None:
        """Draw without the parent's recomputation, which would change what follows."""

    def _sample_goal(self) -> Array:
        return np.zeros(3)

    def _advance(self, action: Array) -> None:
        self._set_action(action)
        self._mujoco_step(action)

    def _observe(self) -> Array:
        """The observation, to the last bit what the parent computes in four times the time."""
        data = self.data
        gripper, block = data.site_xpos[self._gripper], data.site_xpos[self._block]
        if self._is_paper:
            return np.concatenate([self._action, block, gripper])
        gripper_velocity, _ = self._site_velocity(self._gripper)
        block_velocity, block_rotation = self._site_velocity(self._block)
        return np.concatenate(
            [
                gripper,
                block,
                block - gripper,
                data.qpos[self._finger_qpos],
                mat2euler(data.site_xmat[self._block].reshape(3, 3)),
                block_velocity - gripper_velocity,
                block_rotation,
                gripper_velocity,
                data.qvel[self._finger_qvel] * self.dt,
            ]
        )

    def _site_velocity(self, site: int) -> tuple[Array, Array]:
        """Displacement and rotation of a site in one step at its present velocity."""
        linear, angular = np.zeros((2, 3, self.model.nv))
        mujoco.mj_jacSite(self.model, self.data, linear, angular, site)
        return linear @ self.data.qvel * self.dt, angular @ self.data.qvel * self.dt
