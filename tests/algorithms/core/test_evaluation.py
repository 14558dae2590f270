"""An evaluation counts what was planned, and every metric sees its policies in their shares."""

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.core.env_runner import TransitionEnvRunner
from expedition.algorithms.core.errors import EnvRunnersLostError
from expedition.algorithms.core.evaluation import _sequence, evaluate, in_turns, measure
from expedition.algorithms.core.history import PolicyHistory
from expedition.algorithms.sac import SACConfig
from expedition.algorithms.smm import SMMConfig
from expedition.envs.histogram import entropy
from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.tracker import ManipulationTracker

STEPS = 5
TURNS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])  # actions that lead to the four places
CENTRE, REACH = np.array([1.32, 0.74]), np.array([0.15, 0.225])
PLACES = CENTRE + TURNS * REACH  # no goal is near two of them, and each is inside its cell


class FourPlaces(gym.Env):
    """The signs of the action say where the block is."""

    observation_space = gym.spaces.Box(-2, 2, (10,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(10, np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        self.t += 1
        obs = np.zeros(10, np.float32)
        obs[4:6] = CENTRE + np.sign(action) * REACH
        obs[6] = 0.425
        return obs, 1.0, False, self.t == STEPS, {}

    def coverage_tracker(self) -> ManipulationTracker:
        # The window holds the states of 48 episodes.
        return ManipulationTracker(LAYOUTS["paper"], "table", SideTarget(), 48 * STEPS)


class Runners:
    """Evaluation runners of this process, as RLlib's group of them answers."""

    def __init__(self, config: SACConfig, remote: int) -> None:
        count = max(1, remote)
        self.runners = [TransitionEnvRunner(config=config, worker_index=i) for i in range(count)]
        self.remote = remote

    def num_remote_workers(self) -> int:
        return self.remote

    def healthy_worker_ids(self) -> list[int]:
        return list(range(self.remote))

    def foreach_env_runner(self, tasks: Any, **only: Any) -> list[Any]:
        if not self.remote:
            return [tasks(self.runners[0])]
        pairs = zip(tasks, only["remote_worker_ids"], strict=True)
        return [task(self.runners[i]) for task, i in reversed(list(pairs))]  # in any order


def make_algo(config: SACConfig, copies: int, remote: int = 0) -> Any:
    config.environment(lambda _: FourPlaces()).debugging(seed=3)
    config.training(hidden_sizes=(4,)).env_runners(num_envs_per_env_runner=copies)
    config.evaluation(evaluation_duration=120, evaluation_config={"explore": False})
    group = Runners(config, remote)
    return SimpleNamespace(
        config=config,
        evaluation_config=config.get_evaluation_config_object(),
        iteration=7,
        eval_env_runner_group=group,
        policy_state=group.runners[0].module.get_state,
    )


def going_to(weights: dict[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    """A policy whose mode leads to one place, whatever it sees."""
    constant = {name: np.zeros_like(value) for name, value in weights.items()}
    *_, bias = (name for name in weights if name.startswith("policy") and "bias" in name)
    constant[bias].reshape(-1)[:2] = 3 * TURNS[place]
    return constant


def hits(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """How many of the last 100 episodes found the goals at each place."""
    distances = np.linalg.norm(arrays["goals"][:, None] - PLACES, axis=2)
    episodes = arrays["goal_episodes"][distances.argmin(axis=0)]
    return 101 / episodes - 1


def test_every_metric_of_the_historical_average_has_the_planned_shares():
    algo = make_algo(SACConfig(), copies=8)
    weights = algo.policy_state()
    history = PolicyHistory(4, "uniform", base=1.2, newest_probability=0.1)
    for place in range(3):
        history.add(going_to(weights, place))
    algo.history = history
    newest = going_to(weights, 3)
    algo.policy_state = lambda: newest
    plan = history.plan(newest, 120, np.random.default_rng((3, algo.iteration)))
    planned = np.array([episodes for _, episodes in plan])
    assert (planned % 8).all()  # so that sharing them among copies leaves a rest

    results, arrays = evaluate(algo)
    assert results["historical"]["episodes"] == 120
    arrays = {k.removeprefix("eval/historical/"): v for k, v in arrays.items() if "historical" in k}
    visits = arrays["visits"]
    cells = [
        (np.searchsorted(arrays["x_edges"], x) - 1, np.searchsorted(arrays["y_edges"], y) - 1)
        for x, y in PLACES
    ]
    assert [visits[cell] for cell in cells] == (STEPS * planned).tolist()
    assert visits.sum() == 120 * STEPS
    shares = planned / 120
    assert hits(arrays) == pytest.approx(100 * shares, abs=1.01)
    coverage = results["historical"]["coverage"]
    assert coverage["left_mass"] == pytest.approx(shares[2:].sum(), abs=2 / 48)
    assert coverage["right_mass"] == pytest.approx(shares[:2].sum(), abs=2 / 48)
    assert coverage["block_entropy"] == pytest.approx(entropy(planned), abs=0.03)


def test_any_stretch_of_the_turns_has_each_policy_in_its_share():
    counts = np.array([1, 10, 30, 79])
    owners = np.repeat(np.arange(4), counts)[in_turns(counts.tolist())]
    assert np.bincount(owners).tolist() == counts.tolist()
    for length in (12, 50, 100):
        for begin in range(120 - length):
            seen = np.bincount(owners[begin : begin + length], minlength=4)
            assert np.abs(seen - length * counts / 120).max() < 2
    assert in_turns([5]).tolist() == [0, 1, 2, 3, 4]


def test_remote_runners_share_the_planned_episodes():
    algo = make_algo(SACConfig(), copies=2, remote=3)
    weights = algo.policy_state()
    plan = [(going_to(weights, place), episodes) for place, episodes in enumerate((7, 1, 4))]
    results, tracker = measure(algo, plan)
    assert results["episodes"] == 12
    assert tracker is not None
    counts = tracker.arrays()["visits"]
    assert sorted(counts[counts > 0].tolist()) == [STEPS, 4 * STEPS, 7 * STEPS]


def test_an_evaluation_without_a_runner_left_says_so():
    algo = make_algo(SACConfig(), copies=1, remote=1)
    algo.eval_env_runner_group.healthy_worker_ids = list
    with pytest.raises(EnvRunnersLostError, match="all evaluation runners are lost"):
        measure(algo, [(algo.policy_state(), 5)])


def test_a_test_that_adapts_its_prior_is_scored_in_the_order_of_its_episodes():
    algo = make_algo(SMMConfig().training(num_skills=4, test_time_prior="adaptive"), copies=3)
    module = algo.eval_env_runner_group.runners[0].module
    module.act = lambda _obs, skills, *_: torch.tensor(TURNS)[skills.argmax(1)].float() * 0.9
    order, skills = _sequence(algo, 130)
    sequence = skills[order].argmax(1).numpy()

    _, tracker = measure(algo, [(algo.policy_state(), 50), (algo.policy_state(), 80)])
    arrays = tracker.arrays()
    distances = np.linalg.norm(arrays["goals"][:, None] - PLACES, axis=2)
    found = arrays["goal_episodes"][distances.argmin(axis=0)]
    assert found.tolist() == [(sequence == skill).argmax() + 1 for skill in range(4)]
    assert arrays["goals_found"][1] == pytest.approx((distances[:, sequence[0]] < 0.1).mean(), 0.05)
