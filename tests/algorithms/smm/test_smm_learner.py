import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.smm import SMMConfig
from expedition.algorithms.smm.learner import SMMLearner

SPACES = {
    "observation_space": gym.spaces.Box(-4, 4, (2,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (2,), np.float32),
}


def make_learner(**settings: Any) -> SMMLearner:
    small = {"hidden_sizes": (8, 8), "train_batch_size": 32, "density_hidden_sizes": (8, 8)}
    config = SMMConfig().environment(**SPACES).debugging(seed=3)
    return config.training(**(small | settings)).build_learner()


def transitions(skills: int, count: int = 200) -> dict[str, np.ndarray]:
    """Skill k stays around x = k."""
    rng = np.random.default_rng(0)
    skill = rng.integers(skills, size=count)
    obs = np.stack([skill + rng.normal(size=count) * 0.1, rng.normal(size=count)], 1)
    columns = {
        "obs": obs.astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, 2)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "next_obs": obs.astype(np.float32),
        "terminateds": np.zeros(count, bool),
        "truncateds": np.zeros(count, bool),
    }
    if skills > 1:
        columns["context"] = np.eye(skills, dtype=np.float32)[skill]
    return columns


@pytest.mark.parametrize(("sign", "weight"), [("paper", 1), ("released", -1)])
def test_the_reward_is_equation_8_with_the_discriminators_sign_as_named(sign: str, weight: int):
    learner = make_learner(
        num_skills=4,
        discriminator_sign=sign,
        reward_coeff=2.0,
        state_entropy_coeff=3.0,
        skill_entropy_coeff=5.0,
        prior_coeff=7.0,
    )
    target, log_q, log_d = torch.tensor([0.5]), torch.tensor([-1.5]), torch.tensor([-0.25])
    expected = 2 * 0.5 - 3 * -1.5 + weight * 5 * -0.25 + 7 * math.log(4)
    assert learner.reward(target, log_q, log_d).item() == pytest.approx(expected)


def test_with_one_skill_the_reward_is_equation_2_and_there_is_no_discriminator():
    learner = make_learner(num_skills=1)
    assert not hasattr(learner.smm, "discriminator")
    assert learner.smm.context_dim == 0
    reward = learner.reward(torch.tensor([0.5]), torch.tensor([-1.5]), torch.zeros(1))
    assert reward.item() == pytest.approx(2.0)


@pytest.mark.parametrize("density", ["vae_elbo", "vae_code", "histogram"])
@pytest.mark.parametrize("skills", [1, 3])
def test_every_density_trains_beside_sac(density: str, skills: int):
    learner = make_learner(num_skills=skills, density=density)
    before = {name: p.detach().clone() for name, p in learner.smm.named_parameters()}
    learner.update(batch=as_train_batch(transitions(skills)), num_updates=3)
    changed = {
        name.split(".")[0]
        for name, p in learner.smm.named_parameters()
        if not torch.equal(p, before[name])
    }
    expected = {"policy", "q", "v", "v_target"}
    expected |= {"density"} if density != "histogram" else set()
    expected |= {"discriminator"} if skills > 1 else set()
    assert changed == expected
    assert all(math.isfinite(value) for value in learner.pop_statistics().values())


def test_the_reward_reaches_the_critic_and_does_not_reach_back():
    """Zero critics and no bootstrap: the critic's loss is half the mean squared reward."""
    learner = make_learner(num_skills=3, density="histogram", gamma=0.0)
    data = transitions(3)
    learner.replay.add(learner.prepare(data))
    batch = learner.replay.sample(32)
    with torch.no_grad():
        for p in learner.smm.q.parameters():
            p.zero_()
    states = learner.smm.whiten(batch["obs"])
    log_q = learner.smm.density.evaluate(states, batch["context"]).log_prob
    log_d = (learner.smm.log_discriminator(states) * batch["context"]).sum(1).detach()
    reward = batch["rewards"] - log_q + log_d + math.log(3)
    scalars = learner.gradient_step(batch)
    assert scalars["q_loss"].item() == pytest.approx(0.5 * reward.square().mean().item(), rel=1e-5)
    assert scalars["skill_entropy"].item() == pytest.approx(-log_d.mean().item(), rel=1e-5)


def test_the_discriminator_learns_to_tell_skills_apart():
    learner = make_learner(num_skills=3, discriminator_lr=1e-2)
    learner.update(batch=as_train_batch(transitions(3)), num_updates=5)
    early = learner.pop_statistics()["skill_entropy"]
    learner.update(batch=as_train_batch(transitions(3)), num_updates=200)
    learner.pop_statistics()
    learner.update(batch=as_train_batch(transitions(3)), num_updates=5)
    late = learner.pop_statistics()["skill_entropy"]
    assert early > 0.8  # log 3 = 1.10 knows nothing
    assert late < 0.2


def test_the_histogram_sees_every_new_state_once_before_replay():
    learner = make_learner(num_skills=3, density="histogram")
    learner.update(batch=as_train_batch(transitions(3)), num_updates=4)
    cells = learner.smm.density.counts.numel()
    assert learner.smm.density.counts.sum().item() == cells + 200
