"""DDPG's step against the same one written out, and its parameter noise."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.implicit_policy.ddpg import DDPGConfig
from expedition.algorithms.implicit_policy.ddpg_learner import DDPGLearner
from expedition.algorithms.implicit_policy.normalised_mlp import NormalisedMLP
from expedition.algorithms.implicit_policy.parameter_noise import EpisodeNoise, adapted

OBS, ACTIONS, BATCH = 3, 2, 16


def make_learner(**settings: Any) -> DDPGLearner:
    config = DDPGConfig().environment(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
        action_space=gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
    )
    small = {"hidden_sizes": (8, 6), "critic_hidden_sizes": (7, 5), "train_batch_size": BATCH}
    return config.debugging(seed=3).training(**small | settings).build_learner()


def transitions(count: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "obs": (3 + 2 * rng.normal(size=(count, OBS))).astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, ACTIONS)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "next_obs": (3 + 2 * rng.normal(size=(count, OBS))).astype(np.float32),
        "terminateds": rng.uniform(size=count) < 0.3,
        "truncateds": rng.uniform(size=count) < 0.3,
        "context": rng.integers(100, size=(count, 1)).astype(np.float32),
    }


class Written:
    """The step with one loss and one plain Adam each, and the penalty as a sum of squares."""

    def __init__(self, learner: DDPGLearner) -> None:
        self.config, self.nets = learner.config, copy.deepcopy(learner.ddpg)
        self.actor = torch.optim.Adam(self.nets.policy.parameters(), self.config.policy_lr)
        self.critic = torch.optim.Adam(self.nets.q.parameters(), self.config.q_lr)

    def step(self, batch: dict[str, Tensor], mean: Tensor, std: Tensor) -> float:
        nets = self.nets
        obs, next_obs = (((batch[name] - mean) / std).clamp(-5, 5) for name in ("obs", "next_obs"))
        next_q = nets.q_target(next_obs, nets.policy_target(next_obs).tanh()).detach()
        target = batch["rewards"] + self.config.gamma * (1 - batch["terminateds"]) * next_q
        error = ((nets.q(obs, batch["actions"]) - target) ** 2).mean()
        squares = sum((nets.q.get_parameter(f"{p}.weight") ** 2).sum() for p in PARTS)
        critic_loss = error + self.config.critic_l2 / 2 * squares
        actor_loss = -nets.q(obs, nets.policy(obs).tanh()).mean()
        for optimizer, loss in ((self.actor, actor_loss), (self.critic, critic_loss)):
            parameters = optimizer.param_groups[0]["params"]
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        self.actor.step()
        self.critic.step()
        for online, slow in ((nets.policy, nets.policy_target), (nets.q, nets.q_target)):
            for p, s in zip(online.parameters(), slow.parameters(), strict=True):
                s.data = (1 - self.config.tau) * s.data + self.config.tau * p.data
        return error.item()


PARTS = ("first", "second")


def test_gradient_steps_equal_the_written_out_algorithm():
    learner = make_learner(critic_l2=0.3, tau=0.2)
    data = transitions()
    learner.replay.add(learner.prepare(data))
    mean, std = (torch.tensor(f(data["obs"], axis=0)) for f in (np.mean, np.std))
    written = Written(learner)
    for _step in range(3):
        batch = learner.replay.sample(BATCH)
        scalars = learner.gradient_step(batch)
        expected = written.step(batch, mean, std)
        assert scalars["q_loss"].item() == pytest.approx(expected, rel=1e-4)
    parameters = dict(written.nets.named_parameters())
    for name, parameter in learner.ddpg.named_parameters():
        torch.testing.assert_close(parameter, parameters[name], rtol=1e-4, atol=1e-5)


def test_the_time_limit_ends_an_episode_unless_told_otherwise():
    data = transitions()
    for is_terminal in (True, False):
        learner = make_learner(time_limit_is_terminal=is_terminal)
        learner.update(batch=as_train_batch(dict(data)))
        stored = learner.replay.newest(40)["terminateds"].numpy().astype(bool)
        either = data["terminateds"] | data["truncateds"]
        np.testing.assert_array_equal(stored, either if is_terminal else data["terminateds"])


def test_a_perturbed_row_is_that_of_a_network_with_those_parameters():
    torch.manual_seed(0)
    net, x = NormalisedMLP((OBS, 6, 5, ACTIONS)), torch.randn(4, OBS)
    offsets = EpisodeNoise([p.shape for p in net.perturbable])(torch.tensor([3.0, 1.0, 3.0, 9.0]))
    found = net.perturbed(x, offsets)
    names = [f"linears.{k}.{part}" for k in range(3) for part in ("weight", "bias")]
    for row in range(4):
        moved = {
            name: net.get_parameter(name) + offset[row]
            for name, offset in zip(names, offsets, strict=True)
        }
        expected = functional_call(net, moved, x[row, None])[0]
        torch.testing.assert_close(found[row], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(offsets[0][0], offsets[0][2])
    assert not torch.equal(offsets[0][0], offsets[0][1])


def test_an_episodes_noise_is_found_again_from_its_number():
    noise = EpisodeNoise([torch.Size((2, 3))])
    first = noise(torch.tensor([5.0, 7.0]))[0].clone()
    noise(torch.tensor([6.0, 7.0]))
    assert torch.equal(noise(torch.tensor([5.0, 7.0]))[0], first)
    assert torch.equal(EpisodeNoise([torch.Size((2, 3))])(torch.tensor([7.0]))[0][0], first[1])


def test_exploring_acts_perturbed_for_an_episode_and_otherwise_by_the_actor():
    module = make_learner(parameter_noise=0.3).ddpg
    obs, numbers = torch.randn(2, OBS), torch.tensor([[4.0], [8.0]])
    plain = module.act(obs, numbers, None, explore=False)
    noisy = module.act(obs, numbers, None, explore=True)
    assert torch.equal(plain, module.policy(module.filter(obs)).tanh())
    assert (plain - noisy).abs().max() > 0.01
    assert torch.equal(noisy, module.act(obs, numbers, None, explore=True))
    assert not torch.equal(noisy, module.act(obs, numbers + 1, None, explore=True))
    silent = make_learner(parameter_noise=0.0).ddpg
    args = (obs, numbers, None)
    assert torch.equal(silent.act(*args, explore=True), silent.act(*args, explore=False))


def test_the_noise_grows_when_it_moves_actions_too_little_and_shrinks_otherwise():
    std = torch.tensor(0.5)
    assert adapted(std, torch.tensor(0.1), 0.2, 1.01).item() == pytest.approx(0.505)
    assert adapted(std, torch.tensor(0.3), 0.2, 1.01).item() == pytest.approx(0.5 / 1.01)


def test_the_noise_adapts_every_few_updates_to_the_wanted_distance():
    learner = make_learner(noise_adapt_every=2, noise_factor=1.2, action_std_target=0.3)
    learner.update(as_train_batch(transitions()), num_updates=1)
    assert learner.ddpg.noise_std.item() == pytest.approx(0.2)
    learner.update(as_train_batch(transitions()), num_updates=1)
    assert learner.ddpg.noise_std.item() in (pytest.approx(0.24), pytest.approx(0.2 / 1.2))
    obs = learner.replay.newest(40)["obs"]
    for _ in range(60):
        learner.adapt_noise(obs)
    filtered = learner.ddpg.filter(obs)
    plain = learner.ddpg.policy(filtered).tanh()
    distances = []
    for number in range(60):
        numbers = torch.full((40, 1), float(number))
        moved = learner.ddpg.act(obs, numbers, None, explore=True) - plain
        distances.append(moved.square().mean().sqrt().item())
    assert 0.15 < np.mean(distances) < 0.6


def test_a_critic_needs_two_layers():
    config = DDPGConfig().environment("expedition/MultiGoal-v0")
    with pytest.raises(ValueError, match=r"critic_hidden_sizes=.*two widths"):
        config.training(critic_hidden_sizes=(8,)).validate()
