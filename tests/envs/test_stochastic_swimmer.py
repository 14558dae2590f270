import gymnasium as gym
import numpy as np
import pytest

from expedition.envs.swimmer import ProgressTracker, StochasticSwimmerEnv, gait

ID = "expedition/StochasticSwimmer-v0"


def swim(direction, steps=500, seed=0):
    env = gym.make(ID)
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    tracker = env.unwrapped.coverage_tracker()
    for step in range(steps):
        action = gait(observation, rng.standard_normal(2), direction)
        observation, _, _, _, info = env.step(action.astype(np.float32))
        tracker.update(observation[None, None], np.array([[step == steps - 1]]))
    return info, tracker


def test_it_moves_like_gymnasiums_and_is_paid_for_its_direction():
    reference = gym.make("Swimmer-v5")
    ways = {way: gym.make(ID, direction=way) for way in ("forward", "backward")}
    for env in (reference, *ways.values()):
        env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = rng.uniform(-1.0, 1.0, 2).astype(np.float32)
        expected = reference.step(action)
        control = -1e-4 * np.square(action).sum()
        for way, sign in (("forward", 1.0), ("backward", -1.0)):
            found = ways[way].step(action)
            np.testing.assert_array_equal(found[0], expected[0])
            speed = sign * expected[4]["x_velocity"]
            assert found[1] == pytest.approx(speed + control, rel=1e-5)
            assert found[4]["reward_terms"] == pytest.approx(
                {"speed": speed, "control": control}, rel=1e-5
            )


@pytest.mark.parametrize(("direction", "name"), [(1.0, "forward"), (-1.0, "backward")])
def test_the_gait_swims_its_way_and_the_tracker_sees_how_far(direction, name):
    info, tracker = swim(direction)
    assert direction * info["x_position"] > 2.0
    metrics = tracker.metrics()
    assert metrics[f"{name}_share"] == 1.0
    assert metrics["directions"] == 1.0
    assert metrics["progress"] == pytest.approx(info["x_position"], rel=0.1)  # velocities summed
    times, along = tracker.arrays()["paths"][0, 0].T
    assert times[-1] == pytest.approx(20.0)
    assert along[-1] == pytest.approx(metrics["progress"])


def test_shares_are_of_episodes_that_moved():
    tracker = ProgressTracker(axis=0, time_step=0.5)
    for velocity in (3.0, -4.0, -2.2, 0.2, 1.9):  # of two steps of half a second each
        tracker.update(np.full((2, 1, 1), velocity), np.array([[False], [True]]))
    assert tracker.metrics() == pytest.approx(
        {
            "forward_share": 0.4,
            "backward_share": 0.4,
            "directions": 2.0,
            "progress": -0.22,
            "distance": 2.26,
        }
    )
    copy = ProgressTracker(axis=0, time_step=0.5)
    copy.load_state_dict(tracker.state_dict())
    assert copy.metrics() == tracker.metrics()


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="one of forward, backward, got 'up'"):
        StochasticSwimmerEnv(direction="up")
