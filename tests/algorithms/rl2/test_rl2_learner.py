"""RL²'s update: advantages through the trial, curvature through time, the trust region."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.core.linear_baseline import fitted_baseline
from expedition.algorithms.rl2 import RL2Config
from expedition.algorithms.rl2.learner import RL2Learner
from expedition.algorithms.rl2.trials import Trials

OBS, ACTIONS, STEPS, TRIALS = 2, 1, 6, 4
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}
LENGTHS = np.array([6, 4, 6, 5])


def make(**settings: Any) -> RL2Learner:
    config = RL2Config().environment(**SPACES).debugging(seed=3)
    return config.training(**({"hidden_size": 3} | settings)).build_learner()


def made_up(learner: RL2Learner, seed: int = 0) -> Trials:
    """Trials of two episodes with random observations and rewards, acted by the policy."""
    rng = np.random.default_rng(seed)
    mask = np.arange(STEPS)[:, None] < LENGTHS
    ends = (np.arange(STEPS)[:, None] == 2) | (np.arange(STEPS)[:, None] == LENGTHS - 1)
    trials = Trials(
        obs=rng.normal(size=(STEPS, TRIALS, OBS)).astype(np.float32),
        actions=rng.normal(size=(STEPS, TRIALS, ACTIONS)).astype(np.float32),
        means=np.zeros((STEPS, TRIALS, ACTIONS), np.float32),
        rewards=(rng.normal(size=mask.shape) * mask).astype(np.float32),
        ends=ends,
        reached=np.zeros_like(mask),
        mask=mask,
    )
    with torch.no_grad():
        trials.means = learner.policy(torch.as_tensor(trials.inputs)).numpy()
    return trials


def test_rewards_are_discounted_across_the_episodes_of_a_trial():
    learner = make()
    trials = made_up(learner)
    returns = np.zeros((STEPS + 1, TRIALS))
    for t in reversed(range(STEPS)):
        returns[t] = trials.rewards[t] + 0.99 * returns[t + 1]
    obs, mask = np.moveaxis(trials.obs, 0, 1)[None], trials.mask.T[None]
    baseline = fitted_baseline(obs, returns[:STEPS].T[None], mask)[0].T
    raw = (returns[:STEPS] - baseline)[trials.mask]
    expected = (raw - raw.mean()) / raw.std()
    np.testing.assert_allclose(learner.advantages(trials)[trials.mask], expected, atol=1e-5)
    assert not learner.advantages(trials)[~trials.mask].any()


def test_curvature_product_equals_the_explicit_hessian_through_time():
    learner = make()
    learner.policy.double()
    trials = made_up_double(learner)
    objective = learner.objective(trials)
    inputs, mask = (torch.as_tensor(a, dtype=torch.float64) for a in (trials.inputs, trials.mask))
    old = Normal(torch.as_tensor(trials.means), learner.policy.log_std.detach().exp())

    def divergence(flat: torch.Tensor) -> torch.Tensor:
        new = learner.policy.distribution(objective.unpacked(flat), inputs)
        kl = kl_divergence(old, Normal(new.mean, new.log_std.exp())).sum(-1)
        return (kl * mask).sum() / mask.sum()

    hessian = torch.autograd.functional.hessian(divergence, objective.start)
    for column in torch.eye(len(hessian), dtype=torch.float64)[::3]:
        product = objective.fisher_product(column)
        torch.testing.assert_close(product, hessian @ column, rtol=1e-6, atol=1e-9)


def made_up_double(learner: RL2Learner) -> Trials:
    """Trials whose means are exact in float64, for a policy of that type."""
    learner._tensor = lambda array: torch.as_tensor(array, dtype=torch.float64)
    policy = learner.policy
    learner.own_module.policy = policy.float()
    trials = made_up(learner)
    policy.double()
    with torch.no_grad():
        trials.means = policy(torch.as_tensor(trials.inputs, dtype=torch.float64)).numpy()
    return trials


@pytest.mark.parametrize("curvature_trials", [1.0, 0.5])
def test_every_update_stays_in_the_trust_region_and_lowers_the_loss(curvature_trials: float):
    # Two trials of six steps see 11 of the 95 directions: the others' step is the damping's.
    learner = make(curvature_trials=curvature_trials, max_kl=0.02, cg_damping=1e-3)
    for seed in range(4):
        statistics = learner.learn(made_up(learner, seed), 0, seed)
        assert statistics["accepted"] == 1
        assert 0 < statistics["kl"] <= 0.02
        assert statistics["loss_change"] < 0


def test_an_observation_alone_is_not_enough_to_act():
    with pytest.raises(NotImplementedError, match="within trials"):
        make().own_module.act(torch.zeros(1, OBS), torch.zeros(1, 0), None, False)


def test_rounding_through_time_is_allowed_and_trials_of_another_policy_are_not():
    learner = make()
    trials = made_up(learner)
    deviation = learner.policy.log_std.exp().item()
    acted = trials.means
    trials.means = acted + 0.1 * deviation  # 5e-3 nats
    with pytest.raises(ValueError, match="nats from the one that acted"):
        learner.make_update(trials)
    trials.means = acted + 1e-3 * deviation  # 5e-7 nats
    assert learner.make_update(trials)["loss_change"] < 0
