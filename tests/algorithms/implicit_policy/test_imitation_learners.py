import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.implicit_policy.imitation import CloneConfig, GANImitationConfig

CONFIGS = {"clone": CloneConfig, "gan_imitation": GANImitationConfig}


def learner(method: str, action_dim: int = 1, **settings: Any) -> Any:
    """One without Ray, on observations of two numbers."""
    spaces = {
        "observation_space": gym.spaces.Box(-9, 9, (2,), np.float32),
        "action_space": gym.spaces.Box(-1, 1, (action_dim,), np.float32),
    }
    config = CONFIGS[method]().environment(**spaces).debugging(seed=3)
    return config.training(demonstrations="imitation_1d", **settings).build_learner()


def demonstrations(action_dim: int = 1, steps: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    obs = rng.normal((3.0, -2.0), (0.5, 4.0), (steps, 2))
    actions = 0.1 * (obs[:, :1] - 3.0) * np.ones(action_dim) + rng.normal(
        0, 0.2, (steps, action_dim)
    )
    return obs.astype(np.float32), actions.astype(np.float32)


def test_observations_are_standardised_by_the_demonstrations():
    made = learner("clone")
    obs, actions = demonstrations()
    obs[:, 1] = 7.0  # never changes
    made.take(obs, actions)
    features = made.own_module.features(torch.from_numpy(obs)).numpy()
    np.testing.assert_allclose(features.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(features.std(0), [1.0, 0.0], atol=1e-4)
    far = made.own_module.features(torch.tensor([[1e6, 8.0]]))
    np.testing.assert_array_equal(far.numpy(), [[10.0, 10.0]])


@pytest.mark.parametrize("policy", ["flow", "gaussian"])
def test_cloning_comes_to_the_entropy_of_the_expert(policy: str):
    made = learner("clone", 2, policy=policy, lr=1e-2, layer_norm=False)
    made.take(*demonstrations(2))
    first = made.learn(1)["negative_log_likelihood"]
    made.learn(200)
    last = made.learn(50)["negative_log_likelihood"]
    entropy = 2 * (math.log(0.2) + 0.5 * math.log(2 * math.pi * math.e))
    assert first > entropy + 1
    assert last == pytest.approx(entropy, abs=0.1)


def test_a_flow_of_one_coordinate_clones_two_modes_as_one():
    rng = np.random.default_rng(1)
    actions = (rng.choice([-0.6, 0.6], 3000) + rng.normal(0, 0.1, 3000)).astype(np.float32)[:, None]
    made = learner("clone", policy="flow", lr=1e-2)
    made.take(rng.normal(0, 1, (3000, 2)).astype(np.float32), actions)
    made.learn(200)
    drawn = made.own_module.act(torch.zeros(4000, 2), torch.empty(0), None, True)
    assert (drawn.abs() < 0.3).double().mean() > 0.25  # between the modes, where nobody went


def test_the_discriminators_loss_is_that_of_the_labels():
    made = learner("gan_imitation", action_noise=0.0, expert_label=0.8, dropout=0.0, rho=-40.0)
    made.take(*demonstrations())
    features, actions = made._features[:50], made._actions[:50]
    module = made.own_module
    with torch.no_grad():
        of_expert = module.discriminator.logits(features, actions).double()
        of_policy = module.discriminator.logits(features, module.learning_policy(features)).double()
    says = torch.sigmoid(of_expert)
    expected = -(0.8 * says.log() + 0.2 * (1 - says).log()).mean()
    expected -= (1 - torch.sigmoid(of_policy)).log().mean()
    assert made.discriminator_loss(features, actions).item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    expected = -torch.sigmoid(of_policy).log().mean()
    assert made.policy_loss(features).item() == pytest.approx(expected.item(), rel=1e-5)


def test_each_loss_moves_its_own_network_and_the_mean_follows():
    made = learner("gan_imitation", averaging_rate=0.25)
    made.take(*demonstrations())
    module = made.own_module
    features, actions = made._features[:50], made._actions[:50]
    made.discriminator_loss(features, actions).backward()
    assert all(p.grad is None for p in module.learning_policy.parameters())
    assert all(p.grad is not None for p in module.discriminator.parameters())
    module.discriminator.zero_grad(set_to_none=True)
    made.policy_loss(features).backward()
    assert all(p.grad is None for p in module.discriminator.parameters())
    assert all(p.grad is not None for p in module.learning_policy.parameters())
    mean = [p.clone() for p in module.policy.parameters()]
    made.learn(1)
    for old, new, now in zip(
        mean, module.learning_policy.parameters(), module.policy.parameters(), strict=True
    ):
        torch.testing.assert_close(now, 0.75 * old + 0.25 * new)


def test_the_noise_on_actions_falls_to_nothing():
    made = learner("gan_imitation", action_noise=0.4, action_noise_updates=4)
    made.take(*demonstrations())
    scales = []
    for updates in range(6):
        made.updates = updates
        scales.append(made.action_noise)
    assert scales == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
    made.updates = 0
    blurred = made._blurred(torch.zeros(40_000, 1))
    assert blurred.std().item() == pytest.approx(0.4, rel=0.02)


def test_a_gaussian_generator_is_not_squashed():
    made = learner("gan_imitation", policy="gaussian", init_std=2.0)
    drawn = made.own_module.draw(torch.zeros(20_000, 2), torch.Generator().manual_seed(0))
    assert drawn.std().item() == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("method", CONFIGS)
def test_a_restored_learner_goes_on_as_if_never_stopped(method: str):
    first, second = learner(method), learner(method)
    for made in (first, second):
        made.take(*demonstrations())
    first.learn(5)
    second.set_state(first.get_state())
    assert first.learn(5) == second.learn(5)
    for name, value in first.own_module.state_dict().items():
        torch.testing.assert_close(second.own_module.state_dict()[name], value, rtol=0, atol=0)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="demonstrations=None: say what to imitate"):
        CloneConfig().environment("Pendulum-v1").validate()
    config = GANImitationConfig().environment("Pendulum-v1").training(demonstrations="imitation_1d")
    with pytest.raises(ValueError, match="num_env_runners=2: one learner"):
        config.copy(copy_frozen=False).env_runners(num_env_runners=2).validate()
    with pytest.raises(ValueError, match=r"expert_label=0\.2"):
        config.copy(copy_frozen=False).training(expert_label=0.2).validate()
