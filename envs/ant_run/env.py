"""The ant that is paid for its speed, as Gymnasium environments."""

from __future__ import annotations

import math
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces, utils
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from numpy.typing import NDArray

from expedition.envs import mujoco_state
from expedition.envs.ant_run.model import CAMERA, ant_xml
from expedition.envs.headings import HeadingTracker
from expedition.envs.mujoco_camera import FRAME_SIZE, MujocoCamera
from expedition.envs.running import RunReward, check_reward

NARROW, WIDE = 4.0, 10.0  # m, widths of the hallways
START_NOISE = 0.1
_VELOCITY = (13, 14)  # of the torso along x and y, in an observation
_PATH_STRIDE = 10  # steps between two places of a path in figures

Observation = NDArray[np.float64]


class AntSpeedEnv(AntEnv):
    """Run, whatever the direction.

    All directions pay alike, so that policies may differ in where they run, and whether they always
    run the same way. Registered as ``expedition/AntSpeed-v0``, with a horizon of 1000 steps of 0.05
    s.

    ## Observation space: ``Box(-inf, inf, (105,), float64)``
    As ``Ant-v5`` of Gymnasium: height, orientation (quaternion) and joint angles (13), velocities
    (14, those of the torso at 13 and 14), contact forces (78). The torso's x and y are hidden.
    ``observe_contacts=False`` leaves the first 27.

    ## Action space: ``Box(-1, 1, (8,), float32)``
    Torque on hip and ankle of leg 4, then of legs 1, 2 and 3, in units of 150 N m.

    ## Reward

    | term      | value                                                      |
    |-----------|------------------------------------------------------------|
    | `speed`   | ``|v|``, or v_x with ``reward="forward"``; v as below       |
    | `control` | ``-control_cost |a|^2``                                    |

    The reward is their sum; every step's ``info["reward_terms"]`` has both. v is the mean velocity
    of the torso over the step, in the plane.

    ## Episodes
    Start as ``Ant-v5``, at the origin with noise: uniform within ``start_noise`` on positions,
    normal of that standard deviation on velocities. An episode terminates when the torso is lower
    than 0.2 m or higher than 1 m; the time limit truncates it.

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), figures 3 and 4 and table 2, which says that the
    reward is the velocity of the centre of mass. The length of the velocity is our reading of it,
    as the ant is to run in several directions.

    ## Versions
    v0: first version.

    Args:
        reward: ``"speed"`` or ``"forward"``.
        control_cost: Weight of the squared action; ``Ant-v5`` has 0.5.
        start_noise: 0 starts every episode alike.
        observe_contacts: Whether contact forces are observed.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    # What the parent's constructor insists on; an instance draws rgb_array alone.
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]
    }
    reward_terms = ("speed", "control")
    hallway_width: float | None = None

    def __init__(
        self,
        *,
        reward: RunReward = "speed",
        control_cost: float = 0.0,
        start_noise: float = START_NOISE,
        observe_contacts: bool = True,
        render_mode: str | None = None,
    ) -> None:
        check_reward(reward)
        if not 0.0 <= control_cost < math.inf or not 0.0 <= start_noise < math.inf:
            raise ValueError(
                "control_cost and start_noise must not be negative, "
                f"got {control_cost} and {start_noise}"
            )
        self._is_forward = reward == "forward"
        self._camera: MujocoCamera | None = None
        super().__init__(
            forward_reward_weight=0.0,
            ctrl_cost_weight=control_cost,
            contact_cost_weight=0.0,
            healthy_reward=0.0,
            reset_noise_scale=start_noise,
            include_cfrc_ext_in_observation=observe_contacts,
            render_mode=render_mode,
            width=FRAME_SIZE,
            height=FRAME_SIZE,
        )
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": self.metadata["render_fps"]}
        arguments = {
            "reward": reward,
            "control_cost": control_cost,
            "start_noise": start_noise,
            "observe_contacts": observe_contacts,
            "render_mode": render_mode,
        }
        utils.EzPickle.__init__(self, **arguments)  # not the parent's arguments

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive the joints for 0.05 s.

        Returns:
            Observation, reward, termination, False (the time limit is a wrapper's), and an info
            with ``"reward_terms"``, ``"x_position"``, ``"y_position"``, ``"x_velocity"``,
            ``"y_velocity"`` and ``"distance_from_origin"``.
        """
        observation, _, terminated, _, info = super().step(action)
        info = {name: value for name, value in info.items() if not name.startswith("reward_")}
        x, y = info["x_velocity"], info["y_velocity"]
        speed = float(x) if self._is_forward else math.hypot(x, y)
        info["reward_terms"] = {"speed": speed, "control": -float(self.control_cost(action))}
        reward = sum(info["reward_terms"].values())
        return observation, reward, bool(terminated), False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the ant from above, shape (480, 480, 3)."""
        if self.render_mode != "rgb_array":
            return None
        if self._camera is None:
            self._camera = MujocoCamera(self.model, CAMERA)
        return self._camera.frame(self.data)

    def coverage_tracker(self) -> HeadingTracker:
        """Return a new tracker of where episodes run to."""
        return HeadingTracker(_VELOCITY, time_step=self.dt, stride=_PATH_STRIDE)

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"data": mujoco_state.capture(self.data)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        mujoco_state.restore(self.data, state["data"])

    def _initialize_simulation(self) -> tuple[Any, Any]:
        """Called by the parent's constructor; its own model has neither camera nor walls."""
        model = mujoco.MjModel.from_xml_string(ant_xml(self.hallway_width))
        model.vis.global_.offwidth = model.vis.global_.offheight = FRAME_SIZE
        return model, mujoco.MjData(model)


class AntHallwayEnv(AntSpeedEnv):
    """Run between two walls.

    The ant of :class:`AntSpeedEnv`, to fine-tune what was trained in the open. Registered as
    ``expedition/AntHallway-v0``, with a horizon of 1000 steps of 0.05 s. Observation, action,
    reward and episodes are as there; the walls are not observed, and with ``observe_y`` the torso's
    y is appended to the observation.

    The walls run along x for 250 m to either side of the start, 1 m thick and 1.5 m high; their
    inner faces are at ``y = width / 2`` and ``-width / 2``. An ant is about 1.8 m wide.

    ## Source
    As there. The geometry of the hallways is not published; it is ours.

    ## Versions
    v0: first version.

    Args:
        width: Between the inner faces, m, above 2; 4 is narrow and 10 is wide.
        observe_y: Whether the torso's y is observed.
        reward: ``"speed"`` or ``"forward"``.
        control_cost: As in the open.
        start_noise: As in the open.
        observe_contacts: As in the open.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        width: float = NARROW,
        *,
        observe_y: bool = False,
        reward: RunReward = "speed",
        control_cost: float = 0.0,
        start_noise: float = START_NOISE,
        observe_contacts: bool = True,
        render_mode: str | None = None,
    ) -> None:
        if not 2.0 < width < math.inf:
            raise ValueError(f"width must be above 2, got {width}")
        self.hallway_width, self._observe_y = width, observe_y
        super().__init__(
            reward=reward,
            control_cost=control_cost,
            start_noise=start_noise,
            observe_contacts=observe_contacts,
            render_mode=render_mode,
        )
        size = len(self._get_obs())
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        utils.EzPickle.__init__(self, width, observe_y=observe_y, **self._ezpickle_kwargs)

    def _get_obs(self) -> Observation:
        observation: Observation = super()._get_obs()
        return np.append(observation, self.data.qpos[1]) if self._observe_y else observation
