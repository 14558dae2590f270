from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep

from expedition.algorithms import registry
from expedition.algorithms.core.metrics import curate
from expedition.algorithms.core.rollout import play
from expedition.algorithms.implicit_policy.imitation.trajectories import (
    DatasetError,
    read_parquet,
    write_parquet,
)
from expedition.platform.demonstrations import from_episodes

pytestmark = pytest.mark.usefixtures("small_ray")

WALK = {"demonstrations": "imitation_1d", "demonstration_episodes": 300}


def build(method: str, env: str = "expedition/Imitation1D-v0", **settings: Any) -> Any:
    config = registry.config_class(method)().environment(env).debugging(seed=1)
    config.training(**({"iteration_updates": 50} | settings))
    config.evaluation(
        evaluation_interval=1,
        evaluation_duration=200,
        evaluation_config={"num_envs_per_env_runner": 50},
    )
    return keep(config.build_algo())


def row_of(algo: Any) -> dict[str, float]:
    return {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}


def test_an_implicit_policy_keeps_both_modes_of_the_walk():
    algo = build(
        "gan_imitation",
        **WALK,
        compare_at=(-8, 0, 8),
        iteration_updates=500,
        discriminator_lr=1e-3,
        policy_lr=1e-3,
        averaging_rate=0.01,
    )
    row = row_of(algo)
    assert row["eval/coverage/ends_reached"] == 2.0
    assert row["eval/imitation/tv_at_0"] < 0.4
    assert row["eval/imitation/expert_modes_at_0"] == 2.0
    assert row["env_steps"] == row["updates"] == 500
    arrays = algo.coverage_arrays()
    assert arrays["eval/learner_actions"].shape == arrays["eval/expert_actions"].shape
    assert arrays["eval/paths"].shape[-1] == 2
    of_expert = arrays["eval/expert_paths"][0]  # some of the 300, over steps taken
    assert 30 <= len(of_expert) <= 40
    lasts = [path[np.isfinite(path[:, 1])][-1] for path in of_expert]
    assert {abs(position) for _, position in lasts} == {10.0}
    assert not any(name.startswith("coverage") for name in row)  # training visits nothing


@pytest.mark.slow
def test_it_goes_to_either_end_alike_and_acts_like_the_expert():
    row = row_of(
        build(
            "gan_imitation",
            demonstrations="imitation_1d",
            demonstration_episodes=2000,
            compare_at=(-8, -4, 0, 4, 8),
            iteration_updates=2500,
            latent_dim=4,
            discriminator_lr=1e-3,
        )
    )
    assert 0.3 < row["eval/coverage/end_share_1"] < 0.7
    assert row["eval/imitation/tv_at_0"] < 0.3
    assert row["eval/imitation/modes_at_0"] == row["eval/imitation/expert_modes_at_0"] == 2.0


@pytest.mark.parametrize("method", ["clone", "gan_imitation"])
def test_a_restored_run_equals_the_run_never_stopped(method: str, tmp_path: Path):
    first = build(method, **WALK)
    first.train()
    first.save_to_path(tmp_path)
    second = build(method, **WALK)
    second.restore_from_path(tmp_path)
    for _ in range(2):
        assert row_of(first) == row_of(second)
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)


def test_what_a_clone_plays_is_a_dataset_again(tmp_path: Path):
    algo = build("clone", policy="gaussian", **WALK)
    algo.train()
    played = play(algo, 3, seed=0, explore=True)
    write_parquet(from_episodes(played), tmp_path / "played.parquet")
    found = read_parquet(tmp_path / "played.parquet")
    np.testing.assert_array_equal(found.lengths, [episode.length for episode in played])
    np.testing.assert_allclose(found.finals[:, 0], [e.observations[-1, 0] for e in played])
    again = build("clone", demonstrations=str(tmp_path / "played.parquet"))
    assert len(again.demonstrations.actions) == found.lengths.sum()


def test_actions_are_learned_in_units_of_the_bounds(tmp_path: Path):
    random = registry.config_class("random")().environment("Pendulum-v1").debugging(seed=0)
    played = from_episodes(play(keep(random.build_algo()), 1, seed=0, explore=True))
    assert np.abs(played.actions).max() > 1.5  # of 2
    write_parquet(played, tmp_path / "swing.parquet")
    algo = build("clone", "Pendulum-v1", demonstrations=str(tmp_path / "swing.parquet"))
    _, actions = algo._checked(algo.demonstrations)
    np.testing.assert_allclose(actions, played.actions / 2.0)


def test_demonstrations_of_another_environment_are_refused():
    with pytest.raises(DatasetError, match="observations of 1 numbers, Pendulum-v1 of 3"):
        build("clone", "Pendulum-v1", **WALK)
    with pytest.raises(ValueError, match="compare_axis=1: observations have 1 coordinates"):
        build("clone", **WALK, compare_axis=1)
    with pytest.raises(ValueError, match="compare_at=20: no demonstrated state"):
        build("clone", **WALK, compare_at=(0, 20))
