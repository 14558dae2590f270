import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv

import expedition.envs  # noqa: F401
from expedition.envs.coverage import CoverageTracker, metric_names, tracker_for
from expedition.envs.navigation import HallTracker
from expedition.envs.state_entropy import StateEntropyTracker

ID = "expedition/Navigation-v0"


@pytest.mark.parametrize(
    "env",
    [
        gym.make(ID, halls=5),
        gym.make_vec(ID, 2, halls=5),
        gym.make_vec(ID, 2, vectorization_mode="sync", halls=5),
        gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(ID, 2, halls=5)),
    ],
    ids=["single", "native", "sync", "wrapped"],
)
def test_the_tracker_of_an_environment_is_new_and_of_its_world(env):
    tracker = tracker_for(env)
    assert isinstance(tracker, HallTracker)
    assert isinstance(tracker, CoverageTracker)
    assert tracker.geometry.halls == 5
    assert tracker_for(env) is not tracker


def test_the_tracker_of_environments_in_other_processes():
    envs = AsyncVectorEnv([lambda: gym.make(ID, halls=4)] * 2)
    try:
        tracker = tracker_for(envs)
        assert isinstance(tracker, HallTracker)
        assert tracker.geometry.halls == 4
    finally:
        envs.close()
    without = AsyncVectorEnv([lambda: gym.make("CartPole-v1")])
    try:
        assert tracker_for(without) is None
        assert without.reset(seed=0)[0].shape == (1, 4)  # asking did no harm
    finally:
        without.close()


def test_environments_without_a_tracker():
    assert tracker_for(gym.make("CartPole-v1")) is None
    assert tracker_for(gym.make_vec("CartPole-v1", 2)) is None
    assert metric_names("CartPole-v1") == []


@pytest.mark.parametrize(
    "env_id", [name for name in gym.registry if name.startswith("expedition/")]
)
def test_a_tracker_that_has_seen_nothing_is_restored(env_id):
    env = gym.make(env_id)
    kept, restored = tracker_for(env), tracker_for(env)
    if kept is None:
        pytest.skip("has no tracker")
    restored.load_state_dict(kept.state_dict())
    np.testing.assert_equal(restored.metrics(), kept.metrics())


def test_metric_names_are_sorted_and_stable():
    assert metric_names(ID, {"halls": 7}) == [
        "episode_radius",
        "halls_cumulative",
        "halls_visited",
        "halls_window",
        "max_radius",
        "position_entropy",
        "position_entropy_corrected",
        "position_entropy_fine",
        "position_entropy_lifetime",
    ]


def make_entropy_tracker(axes=(0, 2)):
    return StateEntropyTracker(axes, [1.0, 0.5], low=[0.0, 0.0], high=[2.0, 1.0], recent_states=4)


def test_state_entropy_tracks_chosen_axes():
    tracker = make_entropy_tracker()
    states = np.array([[0.5, 9.0, 0.1], [0.5, 8.0, 0.2], [1.5, 7.0, 0.7], [1.5, 7.0, 0.1]])
    ends = np.zeros((2, 2), dtype=bool)
    tracker.update(states.reshape(2, 2, 3), ends)
    assert tracker.metrics() == {
        "state_entropy": pytest.approx(1.5 * np.log(2)),
        "state_entropy_corrected": pytest.approx(1.5 * np.log(2) + 2 / 8),
        "state_entropy_lifetime": pytest.approx(1.5 * np.log(2)),
        "bins_visited": 3.0,
    }
    arrays = tracker.arrays()
    assert arrays["visits"].tolist() == [[2, 0], [1, 1]]
    assert arrays["y_edges"].tolist() == [0.0, 0.5, 1.0]
    tracker.update(np.zeros((4, 1, 3)), np.zeros((4, 1), dtype=bool))
    assert tracker.metrics()["state_entropy"] == 0.0
    copy = make_entropy_tracker()
    copy.load_state_dict(tracker.state_dict())
    copy.merge(tracker)
    assert copy.arrays()["visits"].tolist() == [[12, 0], [2, 2]]


def test_state_entropy_arguments():
    with pytest.raises(ValueError, match="must be of one length"):
        StateEntropyTracker([0, 1], [1.0], low=[0.0], high=[1.0])
    with pytest.raises(ValueError, match=r"cannot merge axes \[0, 1\] into axes \[0, 2\]"):
        make_entropy_tracker().merge(make_entropy_tracker((0, 1)))
