import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs import task_conformance
from expedition.envs.conformance import ConformanceError
from expedition.envs.ring import RingEnv, RingVectorEnv
from expedition.envs.snapshot import capture, restore


class Undecided(RingEnv):
    """Draws its tasks anew in every instance."""

    def tasks(self, split):
        return np.random.default_rng().normal(size=(100, 2))


class Impatient(RingEnv):
    def set_task(self, task):
        super().set_task(task)
        self.world._goal[:] = self._next_task


class Silent(RingEnv):
    def reset(self, **kwargs):
        return super().reset(**kwargs)[0], {}


class Forgetful(RingEnv):
    def state_dict(self):
        return super().state_dict() | {"next_task": np.ones((1, 2))}


class Shared(RingVectorEnv):
    """Poses the first copy's task everywhere."""

    def set_tasks(self, tasks):
        super().set_tasks(np.repeat(tasks[:1], len(tasks), axis=0))


@pytest.fixture
def register():
    made = []

    def add(single, vector=RingVectorEnv):
        env_id = f"tests/{single.__name__}{vector.__name__}-v0"
        gym.register(env_id, entry_point=single, vector_entry_point=vector, max_episode_steps=50)
        made.append(env_id)
        return env_id

    yield add
    for env_id in made:
        del gym.registry[env_id]


def test_a_conforming_family_passes(register):
    task_conformance.check_tasks(register(RingEnv))


@pytest.mark.parametrize(
    ("single", "vector", "message"),
    [
        (Undecided, RingVectorEnv, "another environment's train tasks differs"),
        (Impatient, RingVectorEnv, "an episode in whose course a task was set differs"),
        (Silent, RingVectorEnv, r'info\["reached"\] to be a bool, not None'),
        (Forgetful, RingVectorEnv, "a restored snapshot differs"),
        (RingEnv, Shared, "the vector reset with tasks differs|vector step 1 with tasks differs"),
    ],
)
def test_a_broken_contract_is_named(register, single, vector, message):
    with pytest.raises(ConformanceError, match=message):
        task_conformance.check_tasks(register(single, vector))


def test_nothing_is_asked_of_environments_without_tasks():
    task_conformance.check_tasks("CartPole-v1")


@pytest.mark.parametrize("family", ["Ring", "Wheeled", "AntGoals"])
def test_a_vector_snapshot_holds_tasks_and_random_numbers(family):
    original, other = (gym.make_vec(f"expedition/{family}-v0", 3) for _ in range(2))
    tasks = original.unwrapped.tasks("validation")
    original.unwrapped.set_tasks(tasks[:3])
    original.reset(seed=0)
    original.unwrapped.set_tasks(tasks[3:6])
    restore(other, capture(original))
    actions = np.zeros((3, *original.single_action_space.shape), np.float32)
    for _ in range(201):
        expected, found = original.step(actions), other.step(actions)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
