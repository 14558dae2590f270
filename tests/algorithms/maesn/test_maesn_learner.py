"""The meta-objective against finite differences and against one task after the other."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.core.task_worker import WorkerSettings
from expedition.algorithms.maesn import LatentSpaceConfig, MAESNConfig
from expedition.algorithms.maesn.learner import MAESNLearner
from expedition.algorithms.maesn.task_data import TaskData
from expedition.algorithms.maesn.worker import MAESNWorker

SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (2,), np.float64),
    "action_space": gym.spaces.Box(-1, 1, (2,), np.float32),
}
CHOSEN = np.array([3, 7, 3, 0])  # one task twice
EPISODES = 5
STEPS = ("mean_steps", "log_std_steps")


def make(kind: type = MAESNConfig, **settings: Any) -> tuple[MAESNLearner, TaskData]:
    small = {"hidden_sizes": (6, 5), "episodes_per_task": EPISODES, "train_tasks": 10}
    config = kind().environment(**SPACES).training(**(small | settings)).debugging(seed=3)
    torch.manual_seed(1)
    learner = config.build_learner()
    learner.own_module.latent_log_stds.data.normal_(0, 0.3)
    return learner, gathered(config, learner)


def gathered(config: Any, learner: MAESNLearner) -> TaskData:
    env_config = {"reward": "dense"}
    method = {name: getattr(config, name) for name in config.hyperparameters()}
    worker = MAESNWorker(
        WorkerSettings("expedition/Ring-v0", env_config, env_config, "vector_entry_point", method)
    )
    module = learner.own_module
    rows = CHOSEN if len(module.mean_steps) > 1 else np.zeros_like(CHOSEN)
    latents, steps = module.latents(), module.steps()
    return worker.gather(
        tasks=worker.train.sampler(1, 1).env.tasks("train")[CHOSEN],
        before_keys=np.array([[1, place] for place in range(4)]),
        after_keys=np.array([[2, place] for place in range(4)]),
        means=latents.means.detach().numpy()[CHOSEN],
        log_stds=latents.log_stds.detach().numpy()[CHOSEN],
        mean_steps=steps.means.detach().numpy()[rows],
        log_std_steps=steps.log_stds.detach().numpy()[rows],
        parameters={k: p.detach().numpy() for k, p in module.policy.named_parameters()},
        policy_steps={k: p.detach().numpy() for k, p in module.policy_steps.items()},
    )


def slow_policy(layers: dict[str, Tensor], obs: Tensor, z: Tensor) -> Normal:
    x = torch.cat((obs, z.expand(len(obs), 2)), 1)
    for layer in range(3):
        x = x @ layers[f"policy.weight_{layer}"] + layers[f"policy.bias_{layer}"]
        x = x.relu() if layer < 2 else x
    return Normal(x, layers["policy.log_std"].exp())


def slow_policy_step(own: dict[str, Tensor], data: TaskData, place: int) -> dict[str, Tensor]:
    """One step of mean(A log π) on the episodes before adaptation, with its graph."""
    layers = {k: own[k] for k in own if k.startswith("policy.")}
    batch, advantages = data.before
    gains = []
    for episode in range(EPISODES):
        obs, actions = (
            torch.as_tensor(array[place, episode]).double() for array in (batch.obs, batch.actions)
        )
        policy = slow_policy(layers, obs, torch.from_numpy(data.drawn[place, episode]))
        gains.append(torch.as_tensor(advantages[place, episode]) * policy.log_prob(actions).sum(-1))
    gradient = torch.autograd.grad(
        torch.cat(gains).mean(), list(layers.values()), create_graph=True
    )
    return {
        k: v + own[k.replace("policy.", "policy_steps.")] * g
        for (k, v), g in zip(layers.items(), gradient, strict=True)
    }


def slow_loss_and_kl(
    learner: MAESNLearner, own: dict[str, Tensor], data: TaskData
) -> tuple[Tensor, Tensor]:
    """The objective with modules, distributions and Python loops over tasks and episodes."""
    config, losses, divergences = learner.config, [], []
    for place, task in enumerate(CHOSEN):
        m, s = own["latent_means"][task], own["latent_log_stds"][task]
        prior_kl = kl_divergence(Normal(m, s.exp()), Normal(torch.zeros(2), torch.ones(2))).sum()
        if config.adapts:
            row = task if config.step_sizes == "per_parameter" else 0
            z = torch.from_numpy(data.drawn[place])
            weights = torch.from_numpy(data.latent_advantages[place])
            surrogate = torch.stack(
                [
                    w * Normal(m, s.exp()).log_prob(z_k).sum()
                    for w, z_k in zip(weights, z, strict=True)
                ]
            ).mean()
            g_m, g_s = torch.autograd.grad(surrogate, [m, s], create_graph=True)
            steps = {k: own.get(k, getattr(learner.own_module, k)) for k in STEPS}
            m, s = m + steps["mean_steps"][row] * g_m, s + steps["log_std_steps"][row] * g_s
        layers = {k: own[k] for k in own if k.startswith("policy.")}
        if config.adapt_policy:
            layers = slow_policy_step(own, data, place)
        ratios, kls = [], []
        for episode in range(EPISODES):
            z = m + s.exp() * torch.from_numpy(data.noise[place, episode])
            x = torch.as_tensor(data.batch.obs[place, episode]).double()
            new = slow_policy(layers, x, z)
            old_mean = torch.as_tensor(data.batch.means[place, episode]).double()
            old = Normal(old_mean, torch.as_tensor(data.log_std[place, 0]).double().exp())
            actions = torch.as_tensor(data.batch.actions[place, episode]).double()
            ratio = (new.log_prob(actions) - old.log_prob(actions)).sum(-1).exp()
            ratios.append(ratio * torch.as_tensor(data.advantages[place, episode]))
            kls.append(kl_divergence(old, new).sum(-1))
        losses.append(-torch.cat(ratios).mean() + config.kl_weight * prior_kl)
        divergences.append(torch.cat(kls))
    return torch.stack(losses).mean(), torch.cat(divergences).mean()


VARIANTS = [
    (MAESNConfig, {}),
    (MAESNConfig, {"step_sizes": "per_parameter", "kl_weight": 0.7}),
    (MAESNConfig, {"step_sizes": "fixed", "inner_step": 0.8}),
    (MAESNConfig, {"adapt_policy": True, "policy_step": 0.3}),
    (LatentSpaceConfig, {}),
]


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_the_meta_gradient_equals_that_of_one_task_after_the_other(kind: type, settings: dict):
    learner, data = make(kind, **settings)
    objective = learner.objective(CHOSEN, data)
    own = {k: p.detach().double().requires_grad_() for k, p in learner._named()}
    loss, _ = slow_loss_and_kl(learner, own, data)
    gradient = torch.autograd.grad(loss, list(own.values()), materialize_grads=True)
    torch.testing.assert_close(objective.loss, loss.detach())
    torch.testing.assert_close(
        objective.gradient, torch.cat([g.reshape(-1) for g in gradient]), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_loss_and_divergence_elsewhere_are_those_of_the_slow_loop(kind: type, settings: dict):
    learner, data = make(kind, **settings)
    objective = learner.objective(CHOSEN, data)
    torch.manual_seed(4)
    flat = objective.start + 0.05 * torch.randn_like(objective.start)
    own = {k: v.requires_grad_() for k, v in objective.unpacked(flat).items()}
    expected = slow_loss_and_kl(learner, own, data)
    for value, slow in zip(objective.evaluate(flat), expected, strict=True):
        torch.testing.assert_close(value, slow.detach())


@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_the_meta_gradient_agrees_with_finite_differences(kind: type, settings: dict):
    learner, data = make(kind, **settings)
    objective = learner.objective(CHOSEN, data)
    torch.manual_seed(5)
    for _ in range(5):
        direction = torch.randn_like(objective.start)
        up, _ = objective.evaluate(objective.start + 1e-6 * direction)
        down, _ = objective.evaluate(objective.start - 1e-6 * direction)
        numeric = ((up - down) / 2e-6).item()
        assert numeric == pytest.approx((objective.gradient @ direction).item(), rel=1e-4)


@pytest.mark.parametrize("adapt_policy", [False, True])
def test_curvature_products_are_the_hessian_of_the_divergence_through_the_inner_step(
    adapt_policy: bool,
):
    learner, data = make(adapt_policy=adapt_policy)
    objective = learner.objective(CHOSEN, data)
    torch.manual_seed(6)
    for _ in range(3):
        direction = torch.randn_like(objective.start)
        direction *= 1e-3 / direction.norm()
        (_, up), (_, down) = (
            objective.evaluate(objective.start + sign * direction) for sign in (1, -1)
        )
        quadratic = 0.5 * (direction @ objective.fisher_product(direction)).item()
        assert ((up + down) / 2).item() == pytest.approx(quadratic, rel=1e-3)


def test_only_sampled_tasks_latents_get_a_gradient_and_one_drawn_twice_gets_both():
    learner, data = make()
    gradient = learner.objective(CHOSEN, data)
    rows = gradient.unpacked(gradient.gradient)["latent_means"]
    assert rows.any(1).nonzero().flatten().tolist() == [0, 3, 7]


def test_latent_space_is_maesn_with_a_step_of_zero():
    # The same episodes without inner steps: losses and all gradients but the steps' agree.
    settings = {"kl_weight": 0.2}
    space, data = make(LatentSpaceConfig, **settings)
    maesn, _ = make(inner_step=0.0, **settings)
    data = data._replace(
        drawn=np.random.default_rng(0).normal(size=data.noise.shape),
        latent_advantages=np.random.default_rng(1).normal(size=data.noise.shape[:2]),
    )
    first, second = (learner.objective(CHOSEN, data) for learner in (space, maesn))
    torch.testing.assert_close(first.loss, second.loss)
    named = first.unpacked(first.gradient), second.unpacked(second.gradient)
    for name, value in named[0].items():
        if name.startswith("policy"):
            torch.testing.assert_close(value, named[1][name])
    assert "mean_steps" not in named[0]
    assert named[1]["mean_steps"].any()


def test_updates_keep_the_divergence_within_its_bound_and_move_everything_learned():
    learner, data = make(max_kl=0.005, curvature_episodes=0.6)
    before = {k: p.detach().clone() for k, p in learner._named()}
    objective = learner.objective(CHOSEN, data)
    statistics = learner.learn((CHOSEN, data), 0, 0)
    flat = torch.cat([p.detach().double().reshape(-1) for p in learner._learned()])
    loss, divergence = objective.evaluate(flat)
    assert 0.001 < divergence <= 0.005 * (1 + 1e-4)  # parameters are rounded to float32
    assert loss < objective.loss
    assert statistics["kl"] == pytest.approx(divergence.item(), rel=1e-3)
    for name, value in learner._named():
        assert not torch.equal(value, before[name]), name


def test_curvature_on_some_episodes_is_their_mean():
    learner, data = make(curvature_episodes=0.4)  # 2 of 5 episodes
    part = data._replace(
        noise=data.noise[:, :2],
        advantages=data.advantages[:, :2],
        batch=type(data.batch)(
            **{name: getattr(data.batch, name)[:, :2] for name in vars(data.batch)}
        ),
    )
    subset = learner.objective(CHOSEN, data)
    learner.config.curvature_episodes = 1.0
    whole = learner.objective(CHOSEN, part)
    vector = torch.randn_like(subset.start)
    torch.testing.assert_close(subset.fisher_product(vector), whole.fisher_product(vector))
