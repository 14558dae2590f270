from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.trpo import ReinforceConfig, TRPOConfig

OBS, ACTIONS = 3, 2
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}
LENGTHS = np.array([[7, 3, 5, 7], [2, 4, 1, 6]])


def make(kind: type, tasks: int = 2, **settings: Any) -> Any:
    config = kind().environment(**SPACES).debugging(seed=3)
    small = {"hidden_sizes": (6, 6), "tasks": tasks}
    return config.training(**(small | settings)).build_learner()


def means(learner: Any, obs: np.ndarray) -> torch.Tensor:
    policy = learner.own_module.policy
    flat = torch.as_tensor(obs.reshape(len(obs), -1, OBS)).double()
    with torch.no_grad():
        mean = policy.mean({k: v.double() for k, v in policy.named_parameters()}, flat)
    return mean.reshape(*obs.shape[:3], ACTIONS)


def batch(learner: Any, tasks: slice = slice(None)) -> EpisodeBatch:
    rng = np.random.default_rng(0)
    mask = np.arange(7) < LENGTHS[..., None]
    obs = rng.normal(size=(*mask.shape, OBS)).astype(np.float32)[tasks]
    noise = rng.normal(size=(*mask.shape, ACTIONS))[tasks]
    rewards = np.where(mask, rng.normal(size=mask.shape), 0.0)[tasks]
    mean = means(learner, obs).numpy()
    std = np.exp(learner.own_module.policy.log_std.detach().numpy())[:, :, None]
    return EpisodeBatch(
        obs=obs,
        actions=(mean + std * noise).astype(np.float32),
        means=mean.astype(np.float32),
        rewards=rewards,
        mask=mask[tasks],
        last_obs=obs[:, :, 0],
        reached=np.zeros(mask.shape[:2], bool)[tasks],
    )


def normals(learner: Any, obs: np.ndarray) -> Normal:
    log_std = learner.own_module.policy.log_std.detach().double()
    return Normal(means(learner, obs), log_std.exp().unsqueeze(2))


def test_every_step_keeps_each_tasks_kl_within_the_bound_and_lowers_its_loss():
    learner = make(TRPOConfig, max_kl=0.02)
    for _ in range(5):
        data = batch(learner)
        mask = torch.as_tensor(data.mask).double()
        old = normals(learner, data.obs)
        advantages = torch.as_tensor(learner.advantages(data))
        actions = torch.as_tensor(data.actions).double()
        statistics = learner.learn(data, 0, 0)
        new = normals(learner, data.obs)
        counts = mask.sum((1, 2))
        kl = (kl_divergence(old, new).sum(-1) * mask).sum((1, 2)) / counts
        ratio = (new.log_prob(actions) - old.log_prob(actions)).sum(-1).exp()
        gain = (ratio * advantages * mask).sum((1, 2)) / counts
        assert statistics["accepted"] == 1
        assert (kl <= 0.02).all()
        assert (kl > 0.02 * 0.2).all()
        assert (gain > 0).all()
        assert statistics["kl"] == pytest.approx(kl.mean().item(), rel=1e-4)


def test_tasks_learned_together_equal_tasks_learned_alone():
    together = make(TRPOConfig)
    start = {k: v.detach().clone() for k, v in together.own_module.policy.named_parameters()}
    data = batch(together)
    together.learn(data, 0, 0)
    for task in range(2):
        alone = make(TRPOConfig, tasks=1)
        for name, value in alone.own_module.policy.named_parameters():
            value.data.copy_(start[name][task : task + 1])
        alone.learn(batch(alone, slice(task, task + 1)), 0, 0)
        for name, value in together.own_module.policy.named_parameters():
            own = dict(alone.own_module.policy.named_parameters())[name][0]
            torch.testing.assert_close(value[task], own, rtol=1e-5, atol=1e-6)


def test_reinforce_makes_the_gradient_step_of_mean_advantage_times_log_probability():
    learner = make(ReinforceConfig, policy_lr=0.3)
    data = batch(learner)
    policy = learner.own_module.policy
    advantages = torch.as_tensor(learner.advantages(data))
    expected = []
    for task in range(2):
        own = {k: v[task].detach().double().requires_grad_() for k, v in policy.named_parameters()}
        mask = torch.as_tensor(data.mask[task])
        obs = torch.as_tensor(data.obs[task])[mask].double()
        hidden = torch.relu(obs @ own["weight_0"] + own["bias_0"])
        hidden = torch.relu(hidden @ own["weight_1"] + own["bias_1"])
        mean = hidden @ own["weight_2"] + own["bias_2"]
        actions = torch.as_tensor(data.actions[task])[mask].double()
        log_prob = Normal(mean, own["log_std"].exp()).log_prob(actions).sum(-1)
        (advantages[task][mask] * log_prob).mean().backward()
        expected.append({k: (v + 0.3 * v.grad).detach() for k, v in own.items()})
    learner.learn(data, 0, 0)
    for task in range(2):
        for name, value in policy.named_parameters():
            torch.testing.assert_close(value[task].detach().double(), expected[task][name])


def test_data_of_another_policy_is_refused():
    learner = make(TRPOConfig)
    data = batch(learner)
    nn.init.constant_(learner.own_module.policy.bias_2, 0.5)
    with pytest.raises(ValueError, match="nats from the one that acted"):
        learner.learn(data, 0, 0)
