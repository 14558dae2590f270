"""NBP's losses against the algorithm box written out, and who is changed by what, and when."""

import copy
import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.implicit_policy.nbp import NBPConfig
from expedition.algorithms.implicit_policy.nbp_learner import NBPLearner

OBS, ACTIONS, BATCH = 3, 2, 16
NETWORKS = ("policy", "q", "classifier", "policy_target", "q_target")


def make_learner(**settings: Any) -> NBPLearner:
    config = NBPConfig().environment(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
        action_space=gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
    )
    small = {"hidden_sizes": (8, 6), "critic_hidden_sizes": (7, 5), "train_batch_size": BATCH}
    settings = small | {"entropy_coeff": 0.3} | settings
    return config.debugging(seed=3).training(**settings).build_learner()


def transitions(count: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "obs": rng.normal(size=(count, OBS)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, ACTIONS)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "next_obs": rng.normal(size=(count, OBS)).astype(np.float32),
        "terminateds": rng.uniform(size=count) < 0.3,
        "truncateds": rng.uniform(size=count) < 0.3,
    }


def with_data(**settings: Any) -> NBPLearner:
    learner = make_learner(**settings)
    learner.replay.add(learner.prepare(transitions()))
    return learner


class Written:
    """Algorithm 1 in its own order: one loss, one plain Adam and one step after the other."""

    def __init__(self, learner: NBPLearner) -> None:
        self.config, self.nets = learner.config, copy.deepcopy(learner.nbp)
        self.optimizers = {
            "q": torch.optim.Adam(self.nets.q.parameters(), self.config.q_lr),
            "classifier": torch.optim.Adam(
                self.nets.classifier.parameters(), self.config.classifier_lr
            ),
            "policy": torch.optim.Adam(self.nets.policy.parameters(), self.config.policy_lr),
        }

    def step(self, batch: dict[str, Tensor], noise: torch.Generator) -> dict[str, float]:
        nets, config = self.nets, self.config
        obs, next_obs = batch["obs"] / 5, batch["next_obs"] / 5
        next_actions = nets.policy_target(next_obs, noise).detach()
        next_q = nets.q_target(torch.cat((next_obs, next_actions), 1))[:, 0].detach()
        target = batch["rewards"] + config.gamma * (1 - batch["terminateds"]) * next_q
        q = nets.q(torch.cat((obs, batch["actions"]), 1))[:, 0]
        losses = {"q_loss": ((q - target) ** 2).mean()}
        self.descend("q", losses["q_loss"])
        for _step in range(config.classifier_steps):
            positive = nets.policy(obs, noise).detach()
            uniform = 2 * torch.rand(BATCH, ACTIONS, generator=noise) - 1
            says_yes = nets.classifier(torch.cat((obs, positive), 1))[:, 0].sigmoid()
            says_no = 1 - nets.classifier(torch.cat((obs, uniform), 1))[:, 0].sigmoid()
            loss = -(says_yes.log().mean() + says_no.log().mean())
            losses.setdefault("classifier_loss", loss)
            self.descend("classifier", loss)
        actions = nets.policy(obs, noise)
        inputs = torch.cat((obs, actions), 1)
        c = nets.classifier(inputs)[:, 0]
        losses["policy_loss"] = (config.entropy_coeff * c - nets.q(inputs)[:, 0]).mean()
        self.descend("policy", losses["policy_loss"])
        losses["entropy"] = ACTIONS * math.log(2) - c.mean()
        return {name: loss.item() for name, loss in losses.items()}

    def descend(self, name: str, loss: Tensor) -> None:
        parameters = list(getattr(self.nets, name).parameters())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = gradient
        self.optimizers[name].step()


@pytest.mark.parametrize("classifier_steps", [1, 3])
def test_gradient_steps_equal_the_written_out_algorithm(classifier_steps: int):
    learner = with_data(observation_scale=5.0, classifier_steps=classifier_steps)
    written = Written(learner)
    for _step in range(3):
        batch = learner.replay.sample(BATCH)
        noise = torch.Generator()
        noise.set_state(learner.noise.get_state())
        scalars = learner.gradient_step(batch)
        for name, value in written.step(batch, noise).items():
            assert scalars[name].item() == pytest.approx(value, rel=1e-4, abs=1e-6), name
    expected = dict(written.nets.named_parameters())
    for name, parameter in learner.nbp.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-6)


def reached_by(loss: Tensor, learner: NBPLearner) -> set[str]:
    named = {n: p for n, p in learner.nbp.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    pairs = zip(named, gradients, strict=True)
    return {name.split(".")[0] for name, gradient in pairs if gradient is not None}


def test_every_loss_reaches_its_own_network_alone():
    learner = with_data()
    batch = learner.replay.sample(BATCH)
    target = learner.q_target(batch, batch["next_obs"])
    q_loss = learner.q_loss(batch["obs"], batch["actions"], target)
    assert reached_by(q_loss, learner) == {"q"}
    assert reached_by(learner.classifier_loss(batch["obs"], batch["actions"]), learner) == {
        "classifier"
    }
    assert reached_by(learner.policy_loss(batch["obs"])[0], learner) == {"policy"}


def test_the_targets_are_exact_copies_every_few_steps_and_stand_still_between():
    learner = with_data(target_every=3)
    before = copy.deepcopy(learner.nbp.state_dict())
    for update in range(1, 7):
        learner.update(as_train_batch(transitions(1)), num_updates=1)
        now = copy.deepcopy(learner.nbp.state_dict())
        for name in ("policy", "q"):
            keys = [key for key in now if key.startswith(f"{name}_target.")]
            assert keys
            for key in keys:
                source = now[key.replace("_target", "")] if update % 3 == 0 else before[key]
                assert torch.equal(now[key], source)
        before = now


def test_a_true_end_stops_the_bootstrap_and_a_time_limit_does_not():
    learner = make_learner(gamma=0.9, rho=-50.0, dropout=0.0)
    obs = torch.randn(2, OBS)
    batch = {
        "rewards": torch.tensor([1.0, 2.0]),
        "terminateds": torch.tensor([1.0, 0.0]),
        "truncateds": torch.tensor([0.0, 1.0]),
    }
    actions = learner.nbp.policy(obs)
    q = learner.nbp.q(torch.cat((obs, actions), 1))[:, 0]
    target = learner.q_target(batch, obs)
    assert target.tolist() == pytest.approx([1.0, 2.0 + 0.9 * q[1].item()], abs=1e-6)


def test_positives_are_replayed_actions_if_asked():
    learner = make_learner(positives="replay")
    obs, replayed = torch.randn(BATCH, OBS), torch.rand(BATCH, ACTIONS)
    noise = torch.Generator()
    noise.set_state(learner.noise.get_state())
    loss = learner.classifier_loss(obs, replayed)
    uniform = 2 * torch.rand(BATCH, ACTIONS, generator=noise) - 1
    c = learner.nbp.classifier.logits
    expected = functional.softplus(-c(obs, replayed)).mean()
    expected = expected + functional.softplus(c(obs, uniform)).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_logits_beyond_the_bound_do_not_move_the_policy():
    learner = make_learner(logit_bound=1e-6)
    obs = torch.randn(BATCH, OBS)
    state = learner.noise.get_state()
    bias = learner.nbp.policy.layers[0].bias_mean
    bounded = torch.autograd.grad(learner.policy_loss(obs)[0], bias)
    learner.noise.set_state(state)
    learner.config.entropy_coeff = 0.0
    without = torch.autograd.grad(learner.policy_loss(obs)[0], bias)
    torch.testing.assert_close(bounded[0], without[0])


def test_without_an_entropy_bonus_the_classifier_rests():
    learner = with_data(entropy_coeff=0.0)
    before = copy.deepcopy(learner.nbp.classifier.state_dict())
    scalars = learner.gradient_step(learner.replay.sample(BATCH))
    assert "classifier_loss" not in scalars
    for name, value in learner.nbp.classifier.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_policy_draws_whether_exploring_or_not():
    module = make_learner().nbp.eval()
    obs = {Columns.OBS: torch.ones(2, OBS)}
    for forward in (module.forward_exploration, module.forward_inference):
        first, second = forward(obs)[Columns.ACTIONS]
        assert (first - second).abs().max() > 1e-2
