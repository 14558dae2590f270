"""A three-fingered claw over a valve, as a Gymnasium environment on MuJoCo."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs import mujoco_state
from expedition.envs.dclaw.tracker import ValveTracker
from expedition.envs.dclaw.variation import Variation, sensor_error
from expedition.envs.mujoco_camera import MujocoCamera
from expedition.envs.mujoco_world import load_model

JOINTS = 9  # base, middle and tip of three fingers; then comes the valve's joint
VALVE = 9  # its index among the joints
SUBSTEPS = 40  # of 2.5 ms: a step lasts 0.1 s
RENDER_FPS = 10  # frames are drawn in real time

RESET_POSE = np.tile([0.0, -math.pi / 3, math.pi / 3], 3)  # rad
ACTION_RANGE = np.tile([0.48, math.pi / 3, math.pi / 2], 3)  # rad, target angle of an action of 1
MAX_TURN = 2.0 * math.pi / 3.0 * 0.1  # rad that a target may lie from the angle: 120 deg/s
JOINT_LIMIT = math.pi / 2  # rad; the simulated stops are at 1.57 and a little soft
SLOW = 0.5  # rad/s; slower joints pay nothing
MAX_START = math.pi  # rad

POSE_WEIGHT = 1.0
SPEED_WEIGHT = 1.0


class DClawEnv(gym.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Nine servos, three fingers, and a valve that turns without end.

    The task is to explore the valve's angle: no target is set, and the reward only asks the claw
    to stay near its first pose and to move slowly. Registered as ``expedition/DClaw-v0``, with a
    horizon of 50 steps of 0.1 s (``max_episode_steps``).

    ## Observation space: ``Box(12, float64)``

    | index | name                               | unit  | range        |
    |-------|------------------------------------|-------|--------------|
    | 0-2   | base, middle, tip of finger 1      | rad   | -pi/2 to pi/2 |
    | 3-5   | base, middle, tip of finger 2      | rad   | -pi/2 to pi/2 |
    | 6-8   | base, middle, tip of finger 3      | rad   | -pi/2 to pi/2 |
    | 9     | cosine of the valve's angle        | 1     | -1 to 1      |
    | 10    | sine of the valve's angle          | 1     | -1 to 1      |
    | 11    | the valve's angle, wrapped, over pi | 1     | -1 to 1      |

    The valve's angle is positive counter-clockwise, seen from above. Velocities are hidden.

    ## Action space: ``Box(-1, 1, (9,), float32)``

    Target angles of the servos in the order of the observation: the action times 0.48 (base),
    pi/3 (middle) and pi/2 (tip), and then no further than 0.2094 rad from the present angle.
    Actions outside the range are clipped.

    ## Reward

    ``-|q - q_reset| - |w|``, Euclidean norms over the nine joints, where w are the joint speeds
    (rad/s) of those joints that turn at 0.5 rad/s or more. ``info["reward_terms"]`` has both as
    ``pose`` and ``speed``.

    ## Episodes

    Start in the pose (0, -pi/3, pi/3) of every finger, at rest, with the valve at 0 or at
    U(-start_range, start_range). Nothing terminates an episode; the time limit truncates it.

    ## Source

    The simulated D'Claw of Lee et al. 2019 (arXiv:1906.05274), section 5 and appendix D, whose code
    was not released; numbers after ROBEL (Ahn et al. 2019, arXiv:1909.11639), turning task without
    a target. Differences: the twelfth number of the observation is not in the paper, here it is
    the wrapped angle; solids are primitives; the valve is unlimited; the time limit is a
    truncation.

    ## Versions

    v0: first version.

    Args:
        start_range: Largest start angle of the valve either way, 0 to pi rad; ROBEL also uses pi/3.
        randomised: Draw damping, friction, servo gain and the mount's place for every episode, and
            an error of up to 2.5 % of its range for every reading of a finger joint.
        camera: ``"front"`` or ``"below"``, of the frames.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> import expedition.envs
        >>> env = gym.make("expedition/DClaw-v0")
        >>> observation, _ = env.reset(seed=0)
        >>> observation[9:].tolist()
        [1.0, 0.0, 0.0]
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }
    reward_terms = ("pose", "speed")

    def __init__(
        self,
        start_range: float = 0.0,
        randomised: bool = False,
        camera: str = "front",
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 <= start_range <= MAX_START:
            raise ValueError(f"start_range must be from 0 to pi, got {start_range}")
        if camera not in ("front", "below"):
            raise ValueError(f"camera must be 'front' or 'below', got {camera!r}")
        self.start_range = start_range
        self.render_mode = render_mode
        high = np.array([JOINT_LIMIT] * JOINTS + [1.0] * 3)
        self.observation_space = spaces.Box(-high, high, dtype=np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (JOINTS,), np.float32)
        self._model = load_model("dclaw")
        self._data = mujoco.MjData(self._model)
        self._variation = Variation(self._model) if randomised else None
        # Made with the first frame: it needs a graphics library, which training does not.
        self._camera_name = camera
        self._camera: MujocoCamera | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Put the claw into its first pose, at rest.

        Args:
            seed: Seeds the valve's start angle and the random physics.
            options: Ignored.

        Returns:
            Observation, shape (12,), and an empty info.
        """
        super().reset(seed=seed)
        mujoco.mj_resetData(self._model, self._data)
        if self._variation is not None:
            self._variation.draw(self.np_random)
        self._data.qpos[:JOINTS] = RESET_POSE
        if self.start_range:
            self._data.qpos[VALVE] = self.np_random.uniform(-self.start_range, self.start_range)
        mujoco.mj_forward(self._model, self._data)
        return self._observation(), {}

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Move the servos' targets and simulate 0.1 s.

        Args:
            action: Shape (9,), clipped to [-1, 1].

        Returns:
            Observation, reward, False, False, and an info with ``"reward_terms"``. (The time limit
            is a wrapper's.)

        Raises:
            ValueError: If the action has another shape or is NaN.
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (JOINTS,) or np.isnan(action).any():
            raise ValueError(f"actions must be {JOINTS} numbers, got {action.tolist()}")
        angles = self._data.qpos[:JOINTS]
        targets = np.clip(action, -1.0, 1.0) * ACTION_RANGE
        self._data.ctrl[:] = np.clip(targets, angles - MAX_TURN, angles + MAX_TURN)
        mujoco.mj_step(self._model, self._data, nstep=SUBSTEPS)
        terms = reward_terms(self._data.qpos[:JOINTS], self._data.qvel[:JOINTS])
        return self._observation(), sum(terms.values()), False, False, {"reward_terms": terms}

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the claw and the valve, shape (480, 480, 3)."""
        if self.render_mode != "rgb_array":
            return None
        if self._camera is None:
            self._camera = MujocoCamera(self._model, self._camera_name)
        return self._camera.frame(self._data)

    def coverage_tracker(self) -> ValveTracker:
        """Return a new tracker of how far the valve was turned."""
        return ValveTracker()

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        physics = {} if self._variation is None else self._variation.state_dict()
        return {"data": mujoco_state.capture(self._data), "physics": physics}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        if self._variation is not None:
            self._variation.load_state_dict(state["physics"])
        mujoco_state.restore(self._data, state["data"])

    def _observation(self) -> NDArray[np.float64]:
        angles, valve = self._data.qpos[:JOINTS], float(self._data.qpos[VALVE])
        low, high = self.observation_space.low[:JOINTS], self.observation_space.high[:JOINTS]
        if self._variation is not None:
            angles = angles + sensor_error(self.np_random, low, high)
        cosine, sine = math.cos(valve), math.sin(valve)
        around = [cosine, sine, math.atan2(sine, cosine) / math.pi]
        return np.concatenate([np.clip(angles, low, high), around])


def reward_terms(angles: NDArray[np.float64], speeds: NDArray[np.float64]) -> dict[str, float]:
    """The weighted terms of the reward.

    Args:
        angles: Of the finger joints, rad, shape (9,).
        speeds: Of the finger joints, rad/s, shape (9,).

    Returns:
        ``pose`` and ``speed``, neither positive.
    """
    fast = np.where(np.abs(speeds) >= SLOW, speeds, 0.0)
    return {
        "pose": -POSE_WEIGHT * float(np.linalg.norm(angles - RESET_POSE)),
        "speed": -SPEED_WEIGHT * float(np.linalg.norm(fast)),
    }
