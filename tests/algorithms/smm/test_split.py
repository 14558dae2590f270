"""SM4's components on their own: same numbers on any actors, after a death, at any count."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dead_actors import kill

from expedition.algorithms.smm import SMM, SMMConfig
from expedition.algorithms.smm.component import Component, RoundRequest, component_config
from expedition.algorithms.smm.mixture_learner import MixtureLearner
from expedition.algorithms.smm.split import SplitSMM

TINY: dict[str, Any] = {
    "layout": "split",
    "num_skills": 3,
    "hidden_sizes": (8, 8),
    "density_hidden_sizes": (8,),
    "discriminator_hidden_sizes": (8,),
    "warmup_steps": 60,
    "iteration_steps": 150,
    "updates_per_step": 0.2,
    "train_batch_size": 12,
    "num_historical_policies": 2,
    "historical_every": 1,
    "torch_threads": 1,
    "component_cpus": 0.25,
}


def config(**settings: Any) -> SMMConfig:
    made = SMMConfig().environment("expedition/Navigation-v0").debugging(seed=3)
    made.evaluation(evaluation_interval=2, evaluation_duration=2)
    return made.training(**TINY | settings)


def numbers(algo: SplitSMM) -> dict[str, Any]:
    """What must not depend on where the components run."""
    components = algo.pool.get_states()
    return {
        "steps": (algo.env_steps, algo.updates),
        "policy": algo.policy_state(),
        "d": algo.mixture.discriminator_state(),
        "rows": [state["learner"]["replay"]["replay"]["rows"] for state in components],
        "coverage": algo.coverage_tracker().metrics(),
    }


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, list | tuple):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_the_numbers_do_not_depend_on_the_actors_nor_on_the_death_of_one(
    small_ray: None, monkeypatch: pytest.MonkeyPatch
):
    algos = [config(component_actors=actors).build_algo() for actors in (0, 1, 2, 2)]
    pool = algos[-1].pool
    wait = pool.wait

    def wait_and_kill() -> tuple[int, Any]:
        index, result = wait()
        if algos[-1].iteration == 1 and index == 0:  # component 2 of the same actor is still due
            kill(pool._hosts[0])
        return index, result

    monkeypatch.setattr(pool, "wait", wait_and_kill)
    for iteration in range(3):
        if iteration == 2:
            kill(pool._hosts[1])  # between rounds
        for algo in algos:
            algo.train()
    assert pool.revivals == 2
    expected = numbers(algos[0])
    assert expected["steps"] == (450, 78)
    for algo in algos[1:]:
        assert_equal(numbers(algo), expected)
    for algo in algos:
        algo.stop()


@pytest.mark.parametrize("skills", [1, 2, 4])
def test_any_number_of_components_spends_the_same_budget(skills: int, small_ray: None):
    algo = config(num_skills=skills, iteration_steps=203).build_algo()
    for _iteration in range(2):
        result = algo.train()
    assert result["env_steps"] == 406
    past_warmup = [406 // skills - -(-60 // skills) for _component in range(skills)]
    assert abs(result["updates"] - 0.2 * sum(past_warmup)) <= skills + 1
    shares = [one.env_steps for one in algo._results]
    assert max(shares) - min(shares) <= 1


def test_d_learns_from_the_rounds_before_while_the_components_are_at_work(small_ray: None):
    algo = config(component_actors=2).build_algo()
    staleness, versions, steps, before = [], [], [], algo.mixture.discriminator_state()
    for _iteration in range(3):
        owed = algo.updates
        result = algo.train()
        row = result["learners"]["default_policy"]
        staleness.append(row["staleness"])
        versions.append((row["discriminator_version_min"], row["discriminator_version_max"]))
        steps.append((algo.mixture.updates, owed))
        if algo.iteration == 1:
            assert_equal(algo.mixture.discriminator_state(), before)  # there was nothing to see
    assert staleness == [1, 2, 2]  # rounds; the first d has seen none of one
    assert versions == [(0, 0), (0, 0), (3, 3)]  # rounds of single components
    assert all(made == owed for made, owed in steps)
    assert steps[-1][0] > 0
    algo.stop()


def test_d_has_a_new_version_only_when_it_has_made_a_step(small_ray: None):
    algo = config(num_skills=2, updates_per_step=0.0).build_algo()
    rows = [algo.train()["learners"]["default_policy"] for _iteration in range(2)]
    assert [row["discriminator_version_max"] for row in rows] == [0, 0]
    assert [row["staleness"] for row in rows] == [1, 2]
    alone = config(num_skills=1).build_algo()
    assert "staleness" not in alone.train()["learners"]["default_policy"]  # there is no d


def test_components_that_do_not_wait_stay_within_the_bound(small_ray: None):
    algo = config(component_actors=2, max_staleness=2).build_algo()
    gaps = []
    for _iteration in range(6):
        result = algo.train()
        gaps.append(max(algo._started) - min(algo._finished))
        assert result["learners"]["default_policy"]["staleness"] <= 4
    assert max(gaps) <= 3  # two ahead of the slowest's last round, and one under way
    algo.get_state()
    assert not algo.pool._pending  # a checkpoint holds whole rounds
    assert algo.env_steps == sum(algo._finished) * 50
    algo.stop()


def test_others_start_so_many_rounds_ahead_of_a_slow_component(small_ray: None):
    algo = config(num_skills=2, max_staleness=1).build_algo()
    finished, take_in, gaps = algo.pool._finished, algo._take_in, set()

    def wait_for_the_last_only_when_no_other_is_due() -> tuple[int, Any]:
        return finished.pop(min(range(len(finished)), key=lambda i: finished[i][0]))

    def watch(z: int, result: Any) -> None:
        gaps.add(algo._started[0] - algo._started[1])
        take_in(z, result)

    algo.pool.wait, algo._take_in = wait_for_the_last_only_when_no_other_is_due, watch
    for _iteration in range(3):
        algo.train()
    assert gaps == {0, 1}


def test_checkpoints_between_rounds_change_no_number_and_lose_none(small_ray: None):
    algos = [config(num_skills=2, max_staleness=1).build_algo() for _copy in range(3)]
    plain, saved, restored = algos
    for iteration in range(3):
        state = saved.get_state()
        if iteration == 2:
            assert state["rounds"]["waiting"]  # rounds that no row has told of yet
            restored.set_state(pickle.loads(pickle.dumps(state)))
        rows = [algo.train() for algo in algos[: 2 + (iteration == 2)]]
        assert {row["env_steps_this_iter"] for row in rows} == {150}
        assert {row["env_steps"] for row in rows} == {150 * (iteration + 1)}
        for row in rows[1:]:
            assert_equal(*(dict(r["learners"]["default_policy"]) for r in (row, rows[0])))
            assert row["coverage"] == rows[0]["coverage"]
    for algo in (saved, restored):
        assert_equal(numbers(algo), numbers(plain))


def test_the_first_snapshot_is_of_the_components_untrained_policies(small_ray: None):
    algo = config().build_algo()
    before = algo.policy_state()
    for z in range(3):
        alone = Component(algo.config.copy(), z).learner.smm.policy.state_dict()
        for name, value in alone.items():
            np.testing.assert_array_equal(before[f"policy.{name}"][z : z + 1], value)
    algo.train()
    assert_equal(algo.history.snapshots[0], before)
    assert len(algo.history.snapshots) == 1
    algo.stop()


def test_a_checkpoint_opens_as_the_split_layout_and_evaluates_its_mixture(
    tmp_path: Path, small_ray: None
):
    algo = config().build_algo()
    for _iteration in range(2):
        algo.train()
    algo.save_to_path(tmp_path)
    other = SMM.from_checkpoint(tmp_path)
    assert isinstance(other, SplitSMM)
    assert_equal(numbers(other), numbers(algo))
    first, second = algo.evaluate(), other.evaluate()
    assert first["coverage"] == second["coverage"]
    assert "historical" in first


def test_each_episode_acts_with_the_policy_of_its_skill(small_ray: None):
    algo = config().build_algo()
    algo.train()
    mixture = algo.mixture.mixture
    obs = torch.randn(3, 2)
    together = mixture.act(obs, torch.eye(3), None, explore=False)
    states = algo.pool.get_states()
    for z in range(3):
        component = Component(algo.config.copy(), z)
        component.set_state(states[z])
        alone = component.learner.smm.act(obs[z : z + 1], torch.empty(1, 0), None, False)
        torch.testing.assert_close(alone[0], together[z])


def test_a_component_is_paid_by_equation_8_with_its_own_density_and_the_common_d():
    component = Component(config(num_skills=4).copy(), 2)
    learner = component.learner
    mixture = {k: v.numpy() for k, v in learner.smm.discriminator.state_dict().items()}
    component.run(RoundRequest(40, mixture, 0))
    states = torch.rand(6, learner.smm.whiten.dim) * 2 - 1
    log_d, losses = learner.discriminate(states, torch.empty(6, 0))
    logits = learner.smm.discriminator(states)
    expected = logits[:, 2] - torch.logsumexp(logits, 1)
    torch.testing.assert_close(log_d, expected.detach())
    assert losses == {}
    target, log_q = torch.randn(6), torch.randn(6)
    reward = learner.reward(target, log_q, log_d)
    torch.testing.assert_close(reward, target - log_q + log_d + math.log(4))
    trained = {id(p) for group in learner.optimizer.param_groups for p in group["params"]}
    assert not trained & {id(p) for p in learner.smm.discriminator.parameters()}


def test_the_discriminator_tells_skills_apart_that_visit_different_places():
    learner: MixtureLearner = config(
        num_skills=3, discriminator_hidden_sizes=(32,), train_batch_size=96
    ).build_learner(spaces=_spaces())
    rng = np.random.default_rng(0)
    for z, centre in enumerate([(-6.0, 0.0), (6.0, 0.0), (0.0, 6.0)]):
        learner.take_in(z, rng.normal(centre, 1.0, (500, 2)))
    learner.learn(400)
    states, skills = learner.pool.sample(300)
    log_d = learner.mixture.log_discriminator(states)
    assert (log_d.argmax(1) == skills).float().mean() > 0.97


def test_components_have_seeds_of_their_own():
    seeds = {component_config(config(), z).seed for z in range(3)}
    assert len(seeds) == 3


def test_split_takes_no_env_runners_beside_its_components():
    refused = config()
    refused.env_runners(num_env_runners=2)
    with pytest.raises(ValueError, match="spread by component_actors"):
        refused.validate()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "shared", "component_actors": 2}, "component_actors=2 is of layout='split'"),
        ({"layout": "shared", "max_staleness": 1}, "max_staleness=1 is of layout='split'"),
        ({"num_skills": 13}, "train_batch_size=12: .* at least num_skills=13"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str):
    own = {"component_cpus": 1.0} | settings
    with pytest.raises(ValueError, match=message):
        config(**own).validate()


def test_a_trial_asks_for_the_cpus_of_its_components():
    bundles = SplitSMM.default_resource_request(config(component_actors=2)).bundles
    assert bundles[-2:] == [{"CPU": 0.25}, {"CPU": 0.25}]
    assert len(SplitSMM.default_resource_request(config(component_actors=9)).bundles) == 4


def _spaces() -> Any:
    import gymnasium as gym

    import expedition.envs  # noqa: F401

    env = gym.make("expedition/Navigation-v0")
    return {"default_policy": (env.observation_space, env.action_space)}
