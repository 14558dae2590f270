"""Soft Q-learning's value, target and sampler gradient against brute force."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.implicit_policy import svgd
from expedition.algorithms.implicit_policy.sql import SQLConfig
from expedition.algorithms.implicit_policy.sql_learner import SQLLearner

OBS, ACTIONS = 3, 2


def make_learner(**settings: Any) -> SQLLearner:
    config = SQLConfig().environment(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
        action_space=gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
    )
    settings = {"hidden_sizes": (9, 9), "train_batch_size": 4, "particles": 8} | settings
    return config.debugging(seed=3).training(**settings).build_learner()


def batch(rows: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "obs": torch.randn(rows, OBS, generator=generator),
        "actions": torch.rand(rows, ACTIONS, generator=generator) * 2 - 1,
        "rewards": torch.randn(rows, generator=generator),
        "next_obs": torch.randn(rows, OBS, generator=generator),
        "terminateds": torch.tensor([1.0, 0.0, 0.0, 1.0]),
        "truncateds": torch.tensor([0.0, 1.0, 0.0, 0.0]),
    }


def test_the_value_is_the_log_of_the_integral_of_exp_q():
    learner = make_learner()
    with torch.no_grad():
        for parameter in learner.sql.q_target.parameters():
            parameter.mul_(2)
    obs, line = torch.randn(2, OBS), (torch.arange(200) + 0.5) / 100 - 1
    grid = torch.cartesian_prod(line, line)
    value = learner.value(obs, grid)
    for row in range(2):
        q = learner.sql.q_target(torch.cat((obs[row].expand(len(grid), OBS), grid), 1))[:, 0]
        integral = (q.double().exp() * 0.01**2).sum()
        assert value[row].item() == pytest.approx(math.log(integral), abs=1e-4)


def test_the_target_shares_its_uniform_actions_and_stops_at_true_ends_alone():
    learner, data = make_learner(gamma=0.9, value_actions=5), batch()
    noise = torch.Generator()
    noise.set_state(learner.noise.get_state())
    target = learner.q_target(data)
    actions = torch.rand(5, ACTIONS, generator=noise) * 2 - 1
    for row in range(4):
        pairs = torch.cat((data["next_obs"][row].expand(5, OBS), actions), 1)
        q = learner.sql.q_target(pairs)[:, 0]
        value = q.exp().mean().log() + 2 * math.log(2)
        ended = data["terminateds"][row]
        expected = data["rewards"][row] + (0.9 * value if not ended else 0.0)
        assert target[row].item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_sampler_is_pushed_along_the_stein_direction():
    learner, data = make_learner(), batch()
    sql = learner.sql
    state = learner.noise.get_state()
    loss, _ = learner.sampler_loss(data["obs"])
    parameters = list(sql.sampler.parameters())
    found = torch.autograd.grad(loss, parameters)
    learner.noise.set_state(state)
    latents = learner.normal(4 * 8, ACTIONS).view(4, 8, ACTIONS)
    expected = [torch.zeros_like(parameter) for parameter in parameters]
    for obs, latent in zip(data["obs"], latents, strict=True):
        actions = sql.actions(obs.expand(8, OBS), latent)
        fixed = actions[:4].detach().requires_grad_()
        energy = sql.q(torch.cat((obs.expand(4, OBS), fixed), 1)).sum()
        energy = energy + torch.log(1 - fixed**2 + 1e-6).sum()
        (slopes,) = torch.autograd.grad(energy, fixed)
        push = svgd.direction(fixed[None].detach(), slopes[None], actions[None, 4:].detach())[0]
        pulled = torch.autograd.grad(actions[4:], parameters, grad_outputs=push)
        expected = [e - g / 4 for e, g in zip(expected, pulled, strict=True)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_each_loss_reaches_its_own_network_alone_and_only_q_has_a_target():
    learner, data = make_learner(target_every=2), batch()
    q_loss = learner.q_loss(data["obs"], data["actions"], learner.q_target(data))
    assert sorted(_reached(q_loss, learner)) == ["q"]
    assert sorted(_reached(learner.sampler_loss(data["obs"])[0], learner)) == ["sampler"]
    start = [p.clone() for p in learner.sql.q_target.parameters()]
    for update in (1, 2):
        learner.gradient_step(data)
        learner.updates = update
        learner.after_gradient_step()
        source = start if update == 1 else list(learner.sql.q.parameters())
        for target, parameter in zip(learner.sql.q_target.parameters(), source, strict=True):
            assert torch.equal(target, parameter)


def _reached(loss: torch.Tensor, learner: SQLLearner) -> set[str]:
    named = {n: p for n, p in learner.sql.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    pairs = zip(named, gradients, strict=True)
    return {name.split(".")[0] for name, gradient in pairs if gradient is not None}
