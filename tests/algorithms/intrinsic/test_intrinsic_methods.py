"""Every bonus as a whole method: trains, resumes exactly, pays what its coefficients say."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms import registry
from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.core.rllib import local_learner

NAVIGATION = "expedition/Navigation-v0"
METHODS = {
    "count": {},
    "pseudocount": {"density_hidden_sizes": (8,), "density_code_dim": 2, "density": "vae_code"},
    "icm": {"icm_hidden_sizes": (8,), "icm_feature_dim": 4},
    "rnd": {"rnd_hidden_sizes": (8,), "rnd_feature_dim": 4},
    "disagreement": {"disagreement_hidden_sizes": (8,), "disagreement_members": 2},
    "diayn": {"discriminator_hidden_sizes": (8,), "num_skills": 3},
}
TINY: dict[str, Any] = {
    "hidden_sizes": (8, 8),
    "warmup_steps": 60,
    "iteration_steps": 120,
    "train_batch_size": 16,
    "updates_per_step": 0.25,
    "num_historical_policies": 0,
    "torch_threads": 1,
}


def build(method: str) -> Any:
    config = registry.config_class(method)().environment(NAVIGATION).debugging(seed=5)
    return config.training(**TINY, **METHODS[method]).build_algo()


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_equals_the_run_never_stopped(method: str, tmp_path: Path, small_ray: None):
    through, half, resumed = (build(method) for _copy in range(3))
    for _iteration in range(4):
        result = through.train()
    for _iteration in range(2):
        half.train()
    half.save_to_path(tmp_path)
    resumed.restore_from_path(tmp_path)
    for _iteration in range(2):
        again = resumed.train()
    assert again["env_steps"] == result["env_steps"] == 480
    first, second = (local_learner(algo.learner_group) for algo in (through, resumed))
    expected = first.module["default_policy"].state_dict()
    for name, value in second.module["default_policy"].state_dict().items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(expected[name])), name
    assert again["coverage"] == result["coverage"]
    reward = result["learners"]["default_policy"]["intrinsic_reward"]
    assert np.isfinite(float(reward))


def transitions(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "obs": rng.uniform(-1, 1, (count, 3)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (count, 2)).astype(np.float32),
        "rewards": rng.normal(size=count).astype(np.float32),
        "next_obs": rng.uniform(-1, 1, (count, 3)).astype(np.float32),
        "terminateds": np.zeros(count, bool),
        "truncateds": np.zeros(count, bool),
    }


def learner(method: str, **settings: Any) -> Any:
    box = gym.spaces.Box(-1, 1, (3,), np.float32)
    actions = gym.spaces.Box(-1, 1, (2,), np.float32)
    config = registry.config_class(method)()
    config = config.environment(observation_space=box, action_space=actions).debugging(seed=3)
    return config.training(**TINY | METHODS[method] | settings).build_learner()


def test_the_reward_to_learn_from_is_the_weighted_sum():
    subject = learner("count", reward_coeff=0.5, intrinsic_coeff=10.0)
    target, bonus = torch.tensor([2.0, -1.0]), torch.tensor([0.1, 0.3])
    assert subject.reward(target, bonus).tolist() == pytest.approx([2.0, 2.5])
    data = transitions(40)
    subject.update(as_train_batch(dict(data)), num_updates=1)
    stored = subject.replay.newest(40)["rewards"].numpy()
    np.testing.assert_array_equal(stored, data["rewards"])  # the bonus is not frozen into it


def test_a_pseudo_count_bonus_is_frozen_into_the_stored_reward():
    subject = learner("pseudocount", reward_coeff=2.0, intrinsic_coeff=3.0, reward_scale=5.0)
    data = transitions(1)
    subject.update(as_train_batch(dict(data)), num_updates=0)
    bonus = (subject.replay.newest(1)["rewards"].item() - 2 * 5 * data["rewards"][0]) / 3
    assert bonus == pytest.approx(subject._new_bonus.item(), rel=1e-4)
    assert bonus > 0


def test_a_config_without_a_bonus_is_refused():
    from expedition.algorithms.intrinsic import IntrinsicConfig

    with pytest.raises(ValueError, match="use ICMConfig, CountConfig"):
        IntrinsicConfig().environment(NAVIGATION).validate()
