"""A flow under TRPO: objective against slow forms, the step's bound, and learning."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.func import functional_call

from expedition.algorithms import registry
from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.metrics import curate
from expedition.algorithms.trpo import TRPOConfig
from expedition.algorithms.trpo.flow import SampledObjective

OBS, ACTIONS = 3, 2
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}


def make(**settings):
    config = TRPOConfig().environment(**SPACES).debugging(seed=3)
    return config.training(
        policy="flow", hidden_sizes=(5,), cg_damping=0.1, **settings
    ).build_learner()


def batch(learner, seed: int, episodes: int = 40, steps: int = 5) -> EpisodeBatch:
    rng = np.random.default_rng(seed)
    shape = (1, episodes, steps)
    obs = rng.normal(size=(*shape, OBS)).astype(np.float32)
    noise = torch.from_numpy(rng.normal(size=(episodes * steps, ACTIONS))).float()
    with torch.no_grad():
        flat = torch.from_numpy(obs.reshape(-1, OBS))
        raw = learner.own_module.policy.draw(flat, noise).raw.numpy().reshape(*shape, ACTIONS)
    return EpisodeBatch(
        obs=obs,
        actions=raw,
        means=raw,
        rewards=-np.square(raw).sum(-1).astype(float),
        mask=np.ones(shape, bool),
        last_obs=obs[:, :, 0],
        reached=np.zeros(shape[:2], bool),
    )


def objective(learner) -> tuple[SampledObjective, torch.Tensor, torch.Tensor]:
    """The objective on made-up samples, its scores ``[N, P]`` and advantages ``[N]``."""
    generator = torch.Generator().manual_seed(0)
    obs, raw = (torch.randn(60, k, generator=generator).double() for k in (OBS, ACTIONS))
    advantages = torch.randn(60, generator=generator).double()
    policy = learner.own_module.policy
    parameters = {name: p.detach().double() for name, p in policy.named_parameters()}

    def log_prob(own):
        return functional_call(policy, dict(own), (obs, raw))

    jacobian = torch.func.jacrev(log_prob)(parameters)
    scores = torch.cat([jacobian[name].reshape(60, -1) for name in parameters], 1)
    return SampledObjective(parameters, log_prob, advantages), scores, advantages


def test_gradient_and_curvature_are_those_of_the_scores():
    found, scores, advantages = objective(make())
    torch.testing.assert_close(found.gradient, -(advantages[:, None] * scores).mean(0))
    vector = torch.randn(scores.shape[1], dtype=torch.float64)
    torch.testing.assert_close(found.fisher_product(vector), scores.T @ (scores @ vector) / 60)


def test_divergence_is_zero_at_the_start_and_positive_elsewhere():
    found, _, advantages = objective(make())
    loss, kl = found.evaluate(found.start)
    assert kl.item() == 0
    assert loss.item() == pytest.approx(-advantages.mean().item())
    for seed in range(5):
        torch.manual_seed(seed)
        assert found.evaluate(found.start + 0.1 * torch.randn_like(found.start))[1] > 0


@pytest.mark.parametrize("state_in_couplings", [False, True])
def test_steps_keep_to_the_bound_and_raise_the_reward(state_in_couplings):
    learner = make(gamma=0.0, max_kl=0.02, state_in_couplings=state_in_couplings)
    rewards = []
    for seed in range(25):
        part = batch(learner, seed)
        rewards.append(part.rewards.mean())
        statistics = learner.learn(part, env_steps=0, updates=0)
        assert statistics["kl"] <= 0.02
    assert rewards[0] == pytest.approx(-2, abs=0.4)
    assert np.mean(rewards[-3:]) > -1


def test_tasks_need_a_gaussian():
    with pytest.raises(ValueError, match="tasks=2"):
        TRPOConfig().environment("Pendulum-v1").training(policy="flow", tasks=2).validate()
    with pytest.raises(ValueError, match="policy='flow'"):
        registry.config_class("vime")().training(policy="flow").validate()


@pytest.mark.slow
def test_a_flow_learns_reacher(small_ray):
    config = TRPOConfig().environment("Reacher-v5").debugging(seed=0)
    config.training(policy="flow", cg_damping=0.1, batch_steps=2000, torch_threads=1)
    algo = config.env_runners(num_envs_per_env_runner=10).build_algo()
    rows = [curate(algo.train()) for _ in range(12)]
    assert rows[0]["env_steps"] == 2000
    assert rows[0]["train/return_mean"] < -50
    assert rows[-1]["train/return_mean"] > rows[0]["train/return_mean"] + 8
    assert all(row["learner/kl"] <= 0.01 for row in rows)
    algo.stop()
