"""The learner on made-up episodes: advantages, adaptation and the outer step."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import ActingPolicy
from expedition.algorithms.maml import MAMLConfig
from expedition.algorithms.maml.inner_loop import adapt
from expedition.algorithms.maml.learner import MAMLLearner
from expedition.algorithms.maml.worker import MetaEpisodes

TASKS, EPISODES, STEPS, OBS, ACTIONS = 2, 4, 5, 3, 2
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}
LENGTHS = np.array([[5, 3, 5, 4], [2, 5, 5, 5]])
VARIANTS = [
    {},
    {"bias_transformation": 3, "adaptive_steps": True},
    {"bias_transformation": 3, "adaptive_steps": True, "adapted": "bias", "inner_lr": 1.0},
]


def make(**settings: Any) -> MAMLLearner:
    config = MAMLConfig().environment(**SPACES).debugging(seed=3)
    return config.training(**({"hidden_sizes": (6, 6)} | settings)).build_learner()


def episodes(learner: MAMLLearner, seed: int, policies: dict | None = None) -> EpisodeBatch:
    """Episodes of random observations and rewards, acted by the learner's own policies."""
    rng = np.random.default_rng(seed)
    mask = np.arange(STEPS) < LENGTHS[..., None]
    obs = rng.normal(size=(*mask.shape, OBS)).astype(np.float32)
    if policies is None:
        policies = {k: v.detach().numpy() for k, v in learner.policy.stacked(TASKS).items()}
    latents = policies["context"][:, None] if "context" in policies else None
    acting = ActingPolicy(policies, "relu", latents)
    means = acting.means(obs.reshape(TASKS, -1, OBS)).reshape(*mask.shape, ACTIONS)
    noise = rng.normal(size=means.shape)
    return EpisodeBatch(
        obs=obs,
        actions=(means + acting.std[:, None] * noise).astype(np.float32),
        means=means.astype(np.float32),
        rewards=np.where(mask, rng.normal(size=mask.shape), 0.0),
        mask=mask,
        last_obs=obs[:, :, 0],
        reached=np.zeros(mask.shape[:2], bool),
    )


def meta_episodes(learner: MAMLLearner) -> MetaEpisodes:
    before = episodes(learner, 0)
    with torch.no_grad():
        adapted = adapt(learner.policy, [learner._task_batch(before)])
    policies = {name: value.detach().numpy() for name, value in adapted.items()}
    return MetaEpisodes([before], episodes(learner, 1, policies))


def test_advantages_are_standardised_within_a_task_over_its_own_steps():
    learner = make()
    batch = learner._task_batch(episodes(learner, 0))
    assert batch.obs.shape == (TASKS, EPISODES * STEPS, OBS)
    for task in range(TASKS):
        made = batch.advantages[task, batch.mask[task].bool()]
        assert len(made) == LENGTHS[task].sum()
        assert made.mean().item() == pytest.approx(0, abs=1e-6)
        assert made.std(correction=0).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("settings", VARIANTS)
def test_an_update_stays_in_the_trust_region_and_lowers_the_loss(settings: dict[str, Any]):
    learner = make(**settings)
    for _ in range(3):
        statistics = learner.learn(meta_episodes(learner), 0, 0)
        assert statistics["accepted"] == 1
        assert 0 < statistics["kl"] <= 0.01
        assert statistics["loss_change"] < 0


def test_learned_step_sizes_move_and_fixed_ones_do_not_exist():
    learner = make(adaptive_steps=True)
    statistics = learner.learn(meta_episodes(learner), 0, 0)
    assert statistics["step_size"] != pytest.approx(0.1, abs=1e-6)
    assert set(learner.policy.steps) == set(learner.policy.initial())
    assert not list(make().policy.steps)


def test_curvature_from_a_share_of_the_episodes_gives_another_step():
    full, half = make(), make(curvature_episodes=0.5)
    half.policy.load_state_dict(full.policy.state_dict())
    data = meta_episodes(full)
    first, second = (learner.learn(data, 0, 0) for learner in (full, half))
    before = [each["policy_loss"] - each["loss_change"] for each in (first, second)]
    assert before[0] == before[1]
    assert first["loss_change"] != second["loss_change"]
    assert all(0 < each["kl"] <= 0.01 for each in (first, second))


def test_adapting_a_bias_transformation_that_is_not_there_is_refused():
    config = MAMLConfig().environment(**SPACES).training(adapted="bias")
    with pytest.raises(ValueError, match="bias_transformation=0"):
        config.validate()
