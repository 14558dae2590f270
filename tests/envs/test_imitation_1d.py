import gymnasium as gym
import numpy as np
import pytest

from expedition.envs.imitation import Imitation1DEnv, expert
from expedition.envs.imitation.expert import expert_actions

ID = "expedition/Imitation1D-v0"


def stepped(position, action):
    env = Imitation1DEnv()
    env.reset(seed=0)
    env.load_state_dict({"world": {"position": [position], "steps": [3]}})
    observation, reward, terminated, truncated, _ = env.step(np.array([action]))
    assert not truncated
    return observation.tolist(), reward, terminated


@pytest.mark.parametrize(
    ("position", "action", "expected"),
    [
        (0.5, -0.75, ([-0.25], 0.0, False)),
        (0.5, 2.0, ([1.5], 0.0, False)),
        (9.5, 0.25, ([9.75], 0.0, False)),
        (9.5, 0.5, ([10.0], 1.0, True)),
        (-9.5, -1.0, ([-10.0], 1.0, True)),
    ],
)
def test_steps(position, action, expected):
    assert stepped(position, action) == expected


def test_starts_and_horizon():
    starts = gym.make_vec(ID, 2000).reset(seed=0)[0]
    assert starts.std() == pytest.approx(0.1, abs=0.005)
    env = gym.make(ID)
    env.reset(seed=0)
    flags = [env.step(np.zeros(1, np.float32))[2:4] for _ in range(200)]
    assert flags == [(False, False)] * 199 + [(False, True)]


def test_the_expert_comes_to_both_ends_alike():
    shown = expert(0)
    assert len(shown.lengths) == len(shown.finals) == 10_000
    np.testing.assert_array_equal(np.abs(shown.finals), 10.0)
    assert np.mean(shown.finals > 0) == pytest.approx(0.5, abs=0.02)
    assert shown.lengths.mean() == pytest.approx(25.3, abs=0.3)
    np.testing.assert_allclose(np.percentile(shown.lengths, [5, 95]), [17, 40], atol=1.5)
    assert shown.lengths.sum() == len(shown.observations) == len(shown.actions)


def test_the_experts_episodes_are_episodes_of_the_environment():
    shown = expert(1, 5)
    begins = np.cumsum([0, *shown.lengths[:-1]])
    env = Imitation1DEnv()
    for begin, length, final in zip(begins, shown.lengths, shown.finals, strict=True):
        env.reset()
        start = shown.observations[begin]
        assert abs(start[0]) < 0.5
        env.load_state_dict({"world": {"position": start, "steps": [0]}})
        for step in range(begin, begin + length):
            observation, _, terminated, *_ = env.step(shown.actions[step])
            if step + 1 < begin + length:
                np.testing.assert_array_equal(observation, shown.observations[step + 1])
                assert not terminated
        assert terminated
        np.testing.assert_array_equal(observation, final)


def test_the_experts_actions_are_bimodal_in_the_middle_only():
    rng = np.random.default_rng(0)
    for position, share_up in ((0.0, 0.5), (4.0, 0.8808), (-8.0, 0.0180)):
        actions = expert_actions(np.full(20_000, position), rng)
        assert np.mean(actions > 0) == pytest.approx(share_up, abs=0.012)
        for side in (actions[actions > 0], -actions[actions < 0]):
            assert side.mean() == pytest.approx(0.6, abs=0.03)
            assert side.std() == pytest.approx(0.15, abs=0.02)


def test_a_seed_fixes_the_expert():
    first, again, other = expert(3, 20), expert(3, 20), expert(4, 20)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert not np.array_equal(first.finals, other.finals)
    with pytest.raises(ValueError, match="episodes must be at least 1, got 0"):
        expert(0, 0)


def test_shares_of_ends_and_paths_over_time():
    tracker = Imitation1DEnv().coverage_tracker()
    shown = expert(0, 40)
    begins = np.cumsum([0, *shown.lengths[:-1]])
    for begin, length, final in zip(begins, shown.lengths, shown.finals, strict=True):
        states = np.concatenate([shown.observations[begin + 1 : begin + length], final[None]])
        tracker.update(states[:, None], (np.arange(length) == length - 1)[:, None])
    idle = np.zeros((200, 1, 1))
    tracker.update(idle, (np.arange(200) == 199)[:, None])
    found = tracker.metrics()
    assert found["end_share_0"] == pytest.approx((shown.finals < 0).sum() / 41)
    assert found["end_share_1"] == pytest.approx((shown.finals > 0).sum() / 41)
    assert found["ends_reached"] == 2.0
    assert found["share_entropy"] > 0.9
    paths = tracker.arrays()["paths"]
    assert paths.shape == (1, 41, 201, 2)
    longest = paths[0, np.isfinite(paths[0, :, -1, 0])]
    np.testing.assert_array_equal(longest[0, :, 0], np.arange(201))
    np.testing.assert_array_equal(longest[0, :, 1], 0.0)
