import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from expedition.algorithms.core.env_runner import TransitionEnvRunner
from expedition.algorithms.core.term_sums import TermSums
from expedition.algorithms.sac import SACConfig
from expedition.envs.reward_terms import reward_terms


class TwoTerms(gym.Env):
    """Pays ``near`` t and ``action`` -0.5 in step t; ends after ``length`` steps."""

    observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    reward_terms = ("near", "action")

    def __init__(self, length: int = 3) -> None:
        self.length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.t += 1
        terms = {"near": float(self.t), "action": -0.5}
        ended = self.t == self.length
        return np.zeros(1, np.float32), sum(terms.values()), ended, False, {"reward_terms": terms}


class NoTerms(TwoTerms):
    """As a third party's environment: no declaration."""

    reward_terms = ()


def sampler(copies: int) -> TransitionEnvRunner:
    config = SACConfig().training(hidden_sizes=(8, 8)).debugging(seed=5)
    config.env_runners(num_envs_per_env_runner=copies).environment(lambda _: TwoTerms())
    return TransitionEnvRunner(config=config, worker_index=0)


def test_terms_are_declared_on_the_unwrapped_environment():
    wrapped = gym.wrappers.TimeLimit(TwoTerms(), 10)
    assert reward_terms(wrapped) == ("near", "action")
    assert reward_terms(SyncVectorEnv([TwoTerms])) == ("near", "action")
    assert reward_terms(gym.make("CartPole-v1")) == ()


def test_every_copys_episode_has_its_own_sum_and_the_last_step_counts():
    env = SyncVectorEnv(
        [lambda: TwoTerms(2), lambda: TwoTerms(3)], autoreset_mode=AutoresetMode.SAME_STEP
    )
    env.reset()
    sums = TermSums(reward_terms(env), 2)
    finished: dict[int, list[tuple[float, ...]]] = {0: [], 1: []}
    for _ in range(6):
        _, _, terminateds, _, infos = env.step(np.zeros((2, 1), np.float32))
        sums.add(infos, terminateds)
        for copy in np.flatnonzero(terminateds):
            finished[copy].append(sums.pop(copy))
    assert finished == {0: [(3.0, -1.0)] * 3, 1: [(6.0, -1.5)] * 2}


def test_a_native_vector_environment_may_leave_the_last_step_in_the_infos_themselves():
    sums = TermSums(("near",), 2)
    sums.add({"reward_terms": {"near": np.array([1.0, 2.0])}}, np.array([True, False]))
    assert sums.pop(0) == (1.0,)
    assert sums.pop(0) == (0.0,)


def test_the_runner_reports_sums_of_training_and_of_evaluation():
    trainer = sampler(2)
    trainer.sample(num_steps=7)
    terms = trainer.get_metrics()["terms"]
    assert {name: value.peek() for name, value in terms.items()} == {"near": 6.0, "action": -1.5}
    scores = sampler(2).sample_episodes(5, explore=True)
    assert scores["terms"]["near"].tolist() == [6.0] * 5
    assert scores["returns"].tolist() == pytest.approx([4.5] * 5)


def test_sums_of_running_episodes_survive_a_restore():
    first, second = sampler(1), sampler(1)
    first.sample(num_steps=2)
    second.set_state(first.get_state())
    second.sample(num_steps=1)
    assert second.get_metrics()["terms"]["near"].peek() == 6.0
