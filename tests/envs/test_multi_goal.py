import math

import gymnasium as gym
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.goal_shares import GoalShares
from expedition.envs.multi_goal import MultiGoalEnv
from expedition.envs.multi_goal.world import GOALS

ID = "expedition/MultiGoal-v0"


def stepped(position, action, **kwargs):
    """One step from a position: where to, reward, termination."""
    env = MultiGoalEnv(**kwargs)
    env.reset(seed=0)
    env.load_state_dict({"world": {"position": np.array([position], dtype=float)}})
    observation, reward, terminated, truncated, _ = env.step(np.array(action))
    assert not truncated
    return observation.tolist(), reward, terminated


@pytest.mark.parametrize(
    ("position", "action", "reached", "reward", "terminated"),
    [
        ((4.5, 0), (0, 0), [4.5, 0.0], -0.25 + 10.0, True),
        ((0, 0), (1, 0), [1.0, 0.0], -30.0 - 16.0, False),
        ((0, 0), (3, -4), [1.0, -1.0], -60.0 - 17.0, False),  # clipped to (1, -1)
        ((0, -3.5), (0, -0.5), [0.0, -4.0], -7.5 - 1.0, False),  # at 1 exactly is not inside
        ((6.8, 6.8), (1, 0.1), [7.0, 6.9], -30 * 1.01 - 4.0 - 6.9**2, False),
        ((-7, 0), (-1, 0), [-7.0, 0.0], -30.0 - 4.0, False),
    ],
)
def test_a_step_of_2018(position, action, reached, reward, terminated):
    found = stepped(position, action)
    assert found[0] == pytest.approx(reached)
    assert found[1:] == (pytest.approx(reward), terminated)


@pytest.mark.parametrize(
    ("position", "action", "reward", "terminated"),
    [
        ((4.5, 0), (-1, 0), -30.0 - 0.25 + 10.0, True),  # judged where it was
        ((3.5, 0), (1, 0), -30.0 - 2.25, False),
    ],
)
def test_a_step_of_2017_is_judged_at_the_position_before(position, action, reward, terminated):
    assert stepped(position, action, form="2017")[1:] == (pytest.approx(reward), terminated)


def test_starts_are_noisy_in_2018_and_exact_in_2017():
    starts = gym.make_vec(ID, 2000).reset(seed=0)[0]
    np.testing.assert_allclose(starts.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(starts.std(axis=0), 0.1, atol=0.005)
    assert not gym.make_vec(ID, 5, form="2017").reset(seed=0)[0].any()


def test_the_horizon_truncates_after_30_steps():
    env = gym.make(ID)
    env.reset(seed=0)
    flags = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(30)]
    assert flags == [(False, False)] * 29 + [(False, True)]


def test_the_vector_form_equals_single_environments_through_goals():
    conformance.check(ID, form="2017")
    native = gym.make_vec(ID, 4)
    singles = [gym.make(ID) for _ in range(4)]
    observations = native.reset(seed=3)[0]
    for seed, env in enumerate(singles):
        np.testing.assert_array_equal(env.reset(seed=3 + seed)[0], observations[seed])
    headings = GOALS / 5.0
    terminated = 0
    for _ in range(12):
        observations, rewards, terminations, _, infos = native.step(headings)
        for copy, env in enumerate(singles):
            reached, reward, ended, *_ = env.step(headings[copy])
            assert (reward, ended) == (rewards[copy], terminations[copy])
            if ended:
                terminated += 1
                np.testing.assert_array_equal(infos["final_obs"][copy], reached)
                reached = env.reset()[0]
            np.testing.assert_array_equal(observations[copy], reached)
    assert terminated >= 8


def play(tracker, targets, **kwargs):
    """Walk to the goals with the given indices, one episode each; -1 stays where it is."""
    env = gym.make(ID, **kwargs)
    env.reset(seed=0)
    for target in targets:
        ended, states = False, []
        while not ended:
            action = GOALS[target] / 5.0 if target >= 0 else np.zeros(2)
            observation, _, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
            states.append(observation)
        ends = np.arange(len(states)) == len(states) - 1
        # In two parts, as a runner's fragments are.
        tracker.update(np.array(states[:2])[:, None], ends[:2, None])
        tracker.update(np.array(states[2:])[:, None], ends[2:, None])
        env.reset()
    return tracker


@pytest.mark.parametrize("form", ["2018", "2017"])
def test_shares_of_goals(form):
    tracker = play(MultiGoalEnv(form).coverage_tracker(), [0] * 12 + [1] * 6 + [3, -1], form=form)
    found = tracker.metrics()
    shares = [found[f"goal_share_{goal}"] for goal in range(4)]
    assert shares == pytest.approx([0.6, 0.3, 0.0, 0.05])
    assert found["goals_reached"] == 3.0
    p = np.array([12, 6, 1]) / 19
    assert found["share_entropy"] == pytest.approx(-(p * np.log(p)).sum() / math.log(4))
    arrays = tracker.arrays()
    assert arrays["goals"].tolist() == GOALS.tolist()
    assert arrays["paths"].shape == (1, 20, 31, 2)  # the idle episode lasted 30 steps
    np.testing.assert_array_equal(arrays["paths"][0, :, 0], 0.0)
    lengths = np.isfinite(arrays["paths"][0, :, :, 0]).sum(axis=1)
    assert sorted(lengths)[-1] == 31
    assert sorted(lengths)[0] >= 5


def test_shares_of_merged_trackers():
    first = play(MultiGoalEnv().coverage_tracker(), [0, 0, 1])
    second = play(MultiGoalEnv().coverage_tracker(), [2])
    first.merge(second)
    found = first.metrics()
    assert [found[f"goal_share_{goal}"] for goal in range(4)] == [0.5, 0.25, 0.25, 0.0]
    with pytest.raises(ValueError, match="trackers of different goals"):
        first.merge(GoalShares(np.zeros((2, 2)), radius=1.0))


def test_a_tracker_in_the_middle_of_an_episode_continues_from_its_state():
    whole, half, other = (MultiGoalEnv().coverage_tracker() for _ in range(3))
    states = np.cumsum(np.full((6, 1, 2), [0.9, 0.0]), axis=0)
    ends = np.arange(6)[:, None] == 5
    whole.update(states, ends)
    half.update(states[:3], ends[:3])
    other.load_state_dict(half.state_dict())
    other.update(states[3:], ends[3:])
    assert other.metrics() == whole.metrics()
    np.testing.assert_array_equal(other.arrays()["paths"], whole.arrays()["paths"])
    with pytest.raises(ValueError, match="episodes of 1 copies are open, got 2"):
        half.update(np.zeros((1, 2, 2)), np.zeros((1, 2), dtype=bool))


def test_a_mask_resets_some_copies_and_leaves_the_others_random_numbers():
    masked, plain = gym.make_vec(ID, 3), gym.make_vec(ID, 3)
    first = masked.reset(seed=5)[0]
    np.testing.assert_array_equal(plain.reset(seed=[5, 6, 7])[0], first)
    mask = np.array([False, True, False])
    found = masked.reset(options={"reset_mask": mask})[0]
    np.testing.assert_array_equal(found[~mask], first[~mask])
    again = plain.reset()[0]
    np.testing.assert_array_equal(found[mask], again[mask])
    np.testing.assert_array_equal(
        masked.reset(options={"reset_mask": ~mask})[0][~mask], again[~mask]
    )
    with pytest.raises(ValueError, match="expected 3 seeds, got 2"):
        masked.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="reset_mask must hold 3 booleans"):
        masked.reset(options={"reset_mask": np.ones(2, dtype=bool)})
    with pytest.raises(ValueError, match="max_episode_steps must be at least 1, got 0"):
        gym.make_vec(ID, 2, max_episode_steps=0)


def test_an_unknown_form():
    with pytest.raises(ValueError, match=r"form must be one of .*, got '2019'"):
        MultiGoalEnv("2019")
