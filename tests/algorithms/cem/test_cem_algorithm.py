from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep

from expedition.algorithms.cem import CEMConfig
from expedition.algorithms.cem.population import ActingMembers
from expedition.algorithms.core.metrics import curate

pytestmark = pytest.mark.usefixtures("small_ray")


def build(env: str = "expedition/PointGoals-v0", **settings: Any) -> Any:
    config = (
        CEMConfig().environment(env).training(**({"population": 10} | settings)).debugging(seed=1)
    )
    return keep(config.evaluation(evaluation_interval=1, evaluation_duration=4).build_algo())


@pytest.mark.slow
def test_it_learns_to_balance_a_pendulum():
    algo = build("InvertedPendulum-v5", episodes_per_member=1, population=25)
    rows = [curate(algo.train()) for _ in range(12)]
    assert rows[0]["train/return_mean"] < 150
    assert rows[-1]["eval/return_mean"] > 900  # of 1000
    assert rows[-1]["learner/parameter_std"] < rows[0]["learner/parameter_std"]
    assert rows[-1]["env_steps"] == pytest.approx(
        sum(25 * row["train/length_mean"] for row in rows)
    )


def test_it_learns_to_run_on_a_plane():
    algo = build("expedition/PointRun-v0", population=25)
    rows = [curate(algo.train()) for _ in range(10)]
    # At most 2.8 a step: in the end, 0.1 / (1 - 0.95) along either axis.
    assert rows[0]["train/return_mean"] < 400
    assert rows[-1]["eval/return_mean"] > 480


def test_a_generation_is_ranked_by_its_mean_returns_and_covers_the_environment():
    algo = build("expedition/Navigation-v0", episodes_per_member=2)
    members = algo.draw_members()
    row = curate(algo.train())
    policy = ActingMembers(algo._layout, members, "tanh")
    batch = algo.sampler.sample(policy, [np.random.default_rng([1, 0, 0, k]) for k in range(10)], 2)
    returns = np.sort(batch.returns.mean(1))
    assert row["learner/best_return"] == pytest.approx(returns[-1])
    assert row["learner/elite_return"] == pytest.approx(returns[-2:].mean())
    best = members[np.argsort(-batch.returns.mean(1), kind="stable")[:2]]
    np.testing.assert_allclose(algo.policy_state()["mean"], best.mean(0), rtol=1e-6)
    assert row["train/episodes"] == 20
    assert row["coverage/max_radius"] > 0


def test_the_extra_variance_falls_to_nothing():
    algo = build(parameter_std=0.0, extra_std=2.0, extra_decay_generations=4, population=4000)
    spreads = []
    for updates in (0, 2, 4):
        algo.updates = updates
        spreads.append(algo.draw_members().std())
    np.testing.assert_allclose(spreads, [2.0, 2.0 * np.sqrt(0.5), 0.0], atol=0.02)


def test_a_restored_run_equals_the_run_never_stopped(tmp_path: Path):
    first = build(extra_std=0.1)
    first.train()
    first.save_to_path(tmp_path)
    second = build(extra_std=0.1)
    second.restore_from_path(tmp_path)
    for _ in range(2):
        rows = [
            {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}
            for algo in (first, second)
        ]
        assert rows[0] == rows[1]
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)


def test_settings_out_of_range_are_refused():
    config = CEMConfig().environment("Pendulum-v1")
    with pytest.raises(ValueError, match=r"elite_fraction=1\.5"):
        config.copy(copy_frozen=False).training(elite_fraction=1.5).validate()
    with pytest.raises(ValueError, match="num_env_runners=2: a generation"):
        config.copy(copy_frozen=False).env_runners(num_env_runners=2).validate()
    assert CEMConfig().training(population=3, elite_fraction=0.0).elites == 1
