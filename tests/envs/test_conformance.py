import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs import conformance
from expedition.envs.conformance import ConformanceError

OURS = sorted(env_id for env_id in gym.registry if env_id.startswith("expedition/"))


def test_our_environments_are_registered():
    assert "expedition/Navigation-v0" in OURS


@pytest.mark.parametrize("env_id", OURS)
def test_registered_environments_conform(env_id):
    conformance.check(env_id)


def test_navigation_conforms_with_other_arguments():
    conformance.check("expedition/Navigation-v0", halls=7, hall_length=50.0, goals=[1, 4])


class Walk(gym.Env):
    """A walk on the line that keeps every contract; subclasses break one each."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space = gym.spaces.Box(-100.0, 100.0, (1,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self):
        self.x = np.zeros(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1.0, 1.0, 1)
        return self.x.copy(), {}

    def step(self, action):
        self.x = np.clip(self.x + action, -100.0, 100.0)
        return self.x.copy(), 0.0, False, False, {}


class Unseeded(Walk):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = np.random.default_rng().uniform(-1.0, 1.0, 1)
        return self.x.copy(), {}


class Remembering(Walk):
    def __init__(self):
        super().__init__()
        self.wear = 0.0

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed)
        worn, self.wear = self.wear, 0.0
        self.x = np.clip(observation + worn, -100.0, 100.0)
        return self.x.copy(), info

    def step(self, action):
        self.wear += 1.0
        return super().step(action)


class Early(Walk):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return super().reset(seed=seed)

    def step(self, action):
        self.steps += 1
        observation, reward, *_ = super().step(action)
        return observation, reward, False, self.steps == 30, {}


class Hidden(Walk):
    """Keeps part of its state where a snapshot does not look."""

    drift = [0.0]  # noqa: RUF012

    def reset(self, *, seed=None, options=None):
        self.drift[0] = 0.0
        return super().reset(seed=seed)

    def step(self, action):
        self.drift[0] += 0.01
        return super().step(action + self.drift[0])


class Blank(Walk):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012

    def __init__(self, render_mode=None):
        super().__init__()
        self.render_mode = render_mode

    def render(self):
        return np.zeros((8, 8, 3), dtype=np.uint8)


@pytest.fixture
def register():
    made = []

    def add(entry_point):
        env_id = f"tests/{entry_point.__name__}-v0"
        gym.register(env_id, entry_point=entry_point, max_episode_steps=50)
        made.append(env_id)
        return env_id

    yield add
    for env_id in made:
        del gym.registry[env_id]


def test_a_conforming_environment_passes(register):
    conformance.check(register(Walk))


@pytest.mark.parametrize(
    ("broken", "check", "message"),
    [
        (Unseeded, conformance.check_api, "non-deterministic"),
        (Unseeded, conformance.check_seeding, "second roll-out with the same seed differs"),
        (Remembering, conformance.check_resets, "starts that forget the episode before"),
        (Early, conformance.check_time_limit, "no truncation before step 50, got one at 30"),
        (Hidden, conformance.check_snapshot, "the restored copy differs"),
        (Blank, conformance.check_render, "frames that change"),
    ],
)
def test_a_broken_contract_is_named(register, broken, check, message):
    with pytest.raises(ConformanceError, match=message):
        check(register(broken))


def test_a_native_form_must_equal_the_copies():
    # Gymnasium's native CartPole resets in the step after an episode's end.
    with pytest.raises(ConformanceError, match=r"AutoresetMode\.SAME_STEP, not"):
        conformance.check_vector("CartPole-v1")
