"""One gradient step against a second, slow implementation with separate networks and optimisers."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.sac import SACConfig
from expedition.algorithms.sac.learner import SACLearner

OBS, ACTIONS, BATCH = 3, 2, 16
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}


def make_learner(compiled: bool = False, **settings: Any) -> SACLearner:
    config = SACConfig().environment(**SPACES).debugging(seed=3)
    config.framework(torch_compile_learner=compiled)
    settings = {"hidden_sizes": (12, 12), "train_batch_size": BATCH, "q_lr": 1e-3} | settings
    return config.training(**settings).build_learner()


def transitions(count: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "obs": rng.normal(size=(count, OBS)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, ACTIONS)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "next_obs": rng.normal(size=(count, OBS)).astype(np.float32),
        "terminateds": rng.uniform(size=count) < 0.3,
        "truncateds": np.zeros(count, bool),
    }


class Reference:
    """Soft actor-critic written out: one ``nn.Sequential`` a network, one optimiser each."""

    def __init__(self, learner: SACLearner) -> None:
        module, self.config = learner.sac, learner.config
        self.policy = self.unpack(module.policy, 0)
        members = range(module.q.members)
        self.qs = [self.unpack(module.q, member) for member in members]
        self.optimizers = [torch.optim.Adam(self.policy.parameters(), self.config.policy_lr)]
        self.optimizers += [torch.optim.Adam(q.parameters(), self.config.q_lr) for q in self.qs]
        if self.config.variant == "v1":
            self.v, self.v_target = self.unpack(module.v, 0), self.unpack(module.v_target, 0)
            self.optimizers.append(torch.optim.Adam(self.v.parameters(), self.config.v_lr))
        else:
            self.q_targets = [self.unpack(module.q_target, member) for member in members]
        if self.config.alpha == "auto":
            self.log_alpha = module.log_alpha.detach().clone().requires_grad_()
            self.optimizers.append(torch.optim.Adam([self.log_alpha], self.config.alpha_lr))

    def unpack(self, net: Any, member: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for weight, bias in net._pairs:
            linear = nn.Linear(weight.shape[1], weight.shape[2])
            linear.weight.data = weight[member].detach().T.clone()
            linear.bias.data = bias[member, 0].detach().clone()
            layers += [linear, nn.ReLU() if net.activation == "relu" else nn.Tanh()]
        return nn.Sequential(*layers[:-1])

    def draw(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, log_std = self.policy(obs).chunk(2, -1)
        log_std = log_std.clamp(-20, 2)
        u = mean + log_std.exp() * noise
        log_prob = Normal(mean, log_std.exp()).log_prob(u).sum(-1)
        log_prob = log_prob - torch.log(1 - torch.tanh(u) ** 2 + 1e-12).sum(-1)
        return torch.tanh(u), log_prob, mean, log_std

    def step(self, batch: dict[str, Tensor], noise: list[Tensor]) -> dict[str, float]:
        c = self.config
        alpha = self.log_alpha.exp().detach() if c.alpha == "auto" else torch.tensor(c.alpha)
        action, log_prob, mean, log_std = self.draw(batch["obs"], noise[0])
        q_draw = self.minimum(self.qs, batch["obs"], action)
        with torch.no_grad():
            if c.variant == "v1":
                next_value = self.v_target(batch["next_obs"])[:, 0]
            else:
                next_action, next_log_prob, *_ = self.draw(batch["next_obs"], noise[1])
                next_value = self.minimum(self.q_targets, batch["next_obs"], next_action)
                next_value = next_value - alpha * next_log_prob
            target = batch["rewards"] + c.gamma * (1 - batch["terminateds"]) * next_value
        inputs = torch.cat((batch["obs"], batch["actions"]), 1)
        q_losses = [0.5 * functional.mse_loss(q(inputs)[:, 0], target) for q in self.qs]
        policy_loss = (alpha * log_prob - q_draw).mean()
        policy_loss = policy_loss + c.policy_regulariser * (mean**2).mean()
        policy_loss = policy_loss + c.policy_regulariser * (log_std**2).mean()
        losses = [policy_loss, *q_losses]
        named = {"policy_loss": policy_loss, "q_loss": sum(q_losses)}
        if c.variant == "v1":
            v_target = (q_draw - alpha * log_prob).detach()
            named["v_loss"] = 0.5 * functional.mse_loss(self.v(batch["obs"])[:, 0], v_target)
            losses.append(named["v_loss"])
        if c.alpha == "auto":
            named["alpha_loss"] = -self.log_alpha * (log_prob.detach().mean() - ACTIONS)
            losses.append(named["alpha_loss"])
        self.descend(losses)
        return {name: loss.item() for name, loss in named.items()}

    def minimum(self, qs: list[nn.Sequential], obs: Tensor, action: Tensor) -> Tensor:
        return torch.stack([q(torch.cat((obs, action), 1))[:, 0] for q in qs]).amin(0)

    def descend(self, losses: list[Tensor]) -> None:
        gradients = [
            torch.autograd.grad(loss, optimizer.param_groups[0]["params"], retain_graph=True)
            for loss, optimizer in zip(losses, self.optimizers, strict=True)
        ]
        for grads, optimizer in zip(gradients, self.optimizers, strict=True):
            for parameter, grad in zip(optimizer.param_groups[0]["params"], grads, strict=True):
                parameter.grad = grad
            optimizer.step()
        online = [self.v] if self.config.variant == "v1" else self.qs
        targets = [self.v_target] if self.config.variant == "v1" else self.q_targets
        for net, slow in zip(online, targets, strict=True):
            for p, s in zip(net.parameters(), slow.parameters(), strict=True):
                s.data = (1 - self.config.tau) * s.data + self.config.tau * p.data

    def assert_equals(self, learner: SACLearner) -> None:
        module = learner.sac
        self.compare(self.policy, module.policy, 0)
        for member, q in enumerate(self.qs):
            self.compare(q, module.q, member)
        if self.config.variant == "v1":
            self.compare(self.v, module.v, 0)
            self.compare(self.v_target, module.v_target, 0)
        else:
            for member, q in enumerate(self.q_targets):
                self.compare(q, module.q_target, member)

    def compare(self, net: nn.Sequential, packed: Any, member: int) -> None:
        linears = [layer for layer in net if isinstance(layer, nn.Linear)]
        for linear, (weight, bias) in zip(linears, packed._pairs, strict=True):
            torch.testing.assert_close(weight[member].T, linear.weight, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(bias[member, 0], linear.bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"variant": "v2", "alpha": "auto"},
        {"variant": "v2", "alpha": 0.3, "twin_q": False, "policy_activation": "tanh"},
        {"variant": "v1", "alpha": 1.0, "twin_q": False, "policy_regulariser": 1e-1},
        {"variant": "v1", "alpha": "auto", "twin_q": True},
    ],
    ids=["v2-auto", "v2-fixed-single", "v1-released", "v1-twin-auto"],
)
def test_gradient_steps_equal_the_written_out_algorithm(settings: dict[str, Any]):
    learner = make_learner(tau=0.3, **settings)
    reference = Reference(learner)
    learner.replay.add(learner.prepare(transitions()))
    for _step in range(3):
        batch = learner.replay.sample(BATCH)
        noise_state = learner.noise.get_state()
        scalars = learner.gradient_step(copy.deepcopy(batch))
        learner.noise.set_state(noise_state)
        noise = [learner.normal(BATCH, ACTIONS), learner.normal(BATCH, ACTIONS)]
        if settings["variant"] == "v1":
            after = torch.Generator().manual_seed(0)
            after.set_state(noise_state)
            torch.randn(BATCH, ACTIONS, generator=after)
            learner.noise.set_state(after.get_state())
        expected = reference.step(batch, noise)
        for name, value in expected.items():
            assert scalars[name].item() == pytest.approx(value, rel=1e-4, abs=1e-5), name
    reference.assert_equals(learner)


def test_rewards_are_scaled_and_the_time_limit_settled_when_stored():
    data = transitions(10)
    data["truncateds"][4] = True
    data["terminateds"][:] = False
    learner = make_learner(reward_scale=5.0, time_limit_is_terminal=True)
    learner.update(batch=as_train_batch(dict(data)), num_updates=0)
    stored = learner.replay.newest(10)
    np.testing.assert_allclose(stored["rewards"], 5 * data["rewards"], rtol=1e-6)
    assert stored["terminateds"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    bootstrapping = make_learner(time_limit_is_terminal=False)
    bootstrapping.update(batch=as_train_batch(dict(data)), num_updates=0)
    assert bootstrapping.replay.newest(10)["terminateds"].sum() == 0


def test_an_update_call_makes_the_gradient_steps_it_is_asked_for():
    learner = make_learner()
    learner.update(batch=as_train_batch(transitions()), num_updates=5)
    assert learner.updates == 5
    assert len(learner.replay) == 40
    steps = {float(state["step"]) for state in learner.optimizer.state.values()}
    assert steps == {5.0}
    statistics = learner.pop_statistics()
    assert statistics.keys() >= {"q_loss", "policy_loss", "alpha", "entropy"}
    assert learner.pop_statistics() == {}


def test_a_fixed_temperature_has_no_parameter():
    names = dict(make_learner(alpha=0.5).sac.named_parameters())
    assert "log_alpha" not in names
    assert "log_alpha" in dict(make_learner(alpha="auto").sac.named_parameters())


@pytest.mark.slow
def test_a_compiled_gradient_step_gives_the_numbers_of_an_eager_one():
    eager, compiled = make_learner(), make_learner(compiled=True)
    data = transitions()
    for learner in (eager, compiled):
        learner.update(batch=as_train_batch(dict(data)), num_updates=3)
    assert hasattr(compiled._step, "_torchdynamo_orig_callable")
    expected = dict(eager.sac.named_parameters())
    for name, parameter in compiled.sac.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-6, msg=name)
