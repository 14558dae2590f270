import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms.core.env_runner import TransitionEnvRunner
from expedition.algorithms.sac import SACConfig
from expedition.algorithms.smm import SMMConfig
from expedition.envs.coverage import tracker_for


def runner(
    env: str, copies: int, config: SACConfig | None = None, **env_config
) -> TransitionEnvRunner:
    config = (config or SACConfig()).environment(env, env_config=env_config)
    config = config.training(hidden_sizes=(8, 8)).debugging(seed=5)
    return TransitionEnvRunner(
        config=config.env_runners(num_envs_per_env_runner=copies), worker_index=0
    )


class Counter(gym.Env):
    """Observes the step number; episode lengths 3, 4, 5, ... end in termination or truncation."""

    observation_space = gym.spaces.Box(-1, 1000, (1,), np.float32)
    action_space = gym.spaces.Box(-2, 4, (1,), np.float32)

    def __init__(self) -> None:
        self.length, self.last_action = 2, None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.length, self.t = self.length + 1, 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.t += 1
        self.last_action = float(action[0])
        ended = self.t == self.length
        obs = np.full(1, self.t, np.float32)
        return (
            obs,
            float(self.t),
            ended and self.length % 2 == 1,
            ended and self.length % 2 == 0,
            {},
        )


def counter_runner(copies: int) -> TransitionEnvRunner:
    config = SACConfig().training(hidden_sizes=(8, 8)).debugging(seed=5)
    config.env_runners(num_envs_per_env_runner=copies)
    config.environment(lambda _: Counter())
    return TransitionEnvRunner(config=config, worker_index=0)


def test_transitions_follow_on_and_ends_keep_the_true_final_observation():
    columns = counter_runner(1).sample(num_steps=12, random_actions=True)
    # Episodes of 3, 4 and 5 steps; no reset step is recorded.
    assert columns["obs"][:, 0].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert columns["next_obs"][:, 0].tolist() == [1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 5]
    assert columns["rewards"].tolist() == [1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 5]
    assert np.flatnonzero(columns["terminateds"]).tolist() == [2, 11]
    assert np.flatnonzero(columns["truncateds"]).tolist() == [6]


def test_episodes_go_on_across_calls_and_are_reported_once():
    sampler = counter_runner(1)
    for _ in range(7):
        sampler.sample(num_steps=1, random_actions=True)
    metrics = sampler.get_metrics()
    assert metrics["num_episodes"].peek() == 2
    assert metrics["episode_return_mean"].peek() == (1 + 2 + 3 + 1 + 2 + 3 + 4) / 2
    assert metrics["episode_len_mean"].peek() == 3.5


def test_actions_are_stored_normalised_and_scaled_to_the_environment():
    sampler = counter_runner(1)
    columns = sampler.sample(num_steps=1)
    action = columns["actions"][0, 0]
    assert -1 < action < 1
    assert sampler.env.envs[0].unwrapped.last_action == pytest.approx(1 + 3 * action, abs=1e-5)


def test_a_native_vector_environment_gives_the_data_of_single_ones():
    def collect(mode: str) -> dict[str, np.ndarray]:
        config = SACConfig().env_runners(gym_env_vectorize_mode=mode)
        sampler = runner("expedition/Navigation-v0", 3, config, halls=3)
        return sampler.sample(num_steps=130)

    native, single = collect("vector_entry_point"), collect("sync")
    for name in native:
        np.testing.assert_array_equal(native[name], single[name], err_msg=name)
    assert native["truncateds"].reshape(130, 3)[99].all()


def test_context_is_constant_in_an_episode_and_drawn_anew():
    config = SMMConfig().training(num_skills=4)
    columns = runner("expedition/Navigation-v0", 2, config).sample(num_steps=1000)
    skills = columns["context"].reshape(10, 100, 2, 4)
    assert (skills.sum(-1) == 1).all()
    assert (skills == skills[:, :1]).all()
    chosen = skills[:, 0].argmax(-1)
    assert len(np.unique(chosen)) == 4
    assert len({tuple(row) for row in chosen}) > 1


def test_the_tracker_sees_every_reached_state():
    sampler = runner("expedition/Navigation-v0", 2)
    columns = sampler.sample(num_steps=150)
    reference = tracker_for(sampler.env)
    ends = (columns["terminateds"] | columns["truncateds"]).reshape(150, 2)
    reference.update(columns["next_obs"].reshape(150, 2, 2), ends)
    assert sampler.tracker.metrics() == reference.metrics()
    assert sampler.tracker.arrays()["visits"].sum() == 300


@pytest.mark.parametrize(
    ("env", "mode"),
    [
        ("expedition/Navigation-v0", "vector_entry_point"),
        ("Hopper-v5", "sync"),
        pytest.param("Hopper-v5", "async", marks=pytest.mark.slow),
    ],
)
def test_a_restored_runner_goes_on_bit_for_bit(env: str, mode: str):
    def make() -> TransitionEnvRunner:
        return runner(env, 2, SACConfig().env_runners(gym_env_vectorize_mode=mode))

    sampler, other = make(), make()
    sampler.sample(num_steps=37)
    other.sample(num_steps=5)
    other.set_state(sampler.get_state())
    first, second = sampler.sample(num_steps=150), other.sample(num_steps=150)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    for each in (sampler, other):
        each.stop()


def test_an_evaluation_counts_exactly_the_episodes_asked_for_and_does_not_favour_short_ones():
    sampler = counter_runner(2)
    scores = sampler.sample_episodes(5, explore=True)
    # Three of the first copy and two of the second, though its third would end before.
    assert scores["lengths"].tolist() == [3, 4, 5, 3, 4]
    assert scores["returns"].tolist() == [6, 10, 15, 6, 10]
    steps = [np.arange(1, length + 1) for length in (3, 4, 5, 3, 4)]
    assert scores["states"][:, 0].tolist() == np.concatenate(steps).tolist()


def test_copies_without_an_episode_to_count_are_left_out():
    scores = counter_runner(4).sample_episodes(2, explore=True)
    assert scores["lengths"].tolist() == [3, 3]


def test_the_contexts_of_an_evaluation_are_those_of_its_episodes(monkeypatch: pytest.MonkeyPatch):
    config = SMMConfig().training(num_skills=3)
    sampler = runner("expedition/Navigation-v0", 2, config)
    seen = []
    act = sampler.module.act

    def watch(obs: torch.Tensor, context: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append(context.clone())
        return act(obs, context, *rest)

    monkeypatch.setattr(sampler.module, "act", watch)
    contexts = torch.eye(3)[[2, 0, 1, 1, 2]]
    sampler.sample_episodes(5, True, contexts)
    skills = torch.stack(seen).argmax(2).reshape(3, 100, 2)
    assert (skills == skills[:, :1]).all()
    assert skills[:, 0, 0].tolist() == [2, 0, 1]
    assert skills[:2, 0, 1].tolist() == [1, 2]


def test_restarting_from_a_seed_repeats_the_episodes():
    sampler = runner("expedition/Navigation-v0", 2)
    sampler.restart(11)
    first = sampler.sample(num_steps=50)
    sampler.restart(11)
    second = sampler.sample(num_steps=50)
    np.testing.assert_array_equal(first["next_obs"], second["next_obs"])


@pytest.mark.parametrize(
    ("env", "message"), [("CartPole-v1", "continuous actions"), ("Blackjack-v1", "flat Box")]
)
def test_unsuited_spaces_are_refused_with_a_remedy(env: str, message: str):
    with pytest.raises(ValueError, match=message):
        runner(env, 1)


def test_module_forward_gives_the_actions_that_act_gives():
    sampler = runner("Pendulum-v1", 1)
    obs = torch.randn(5, 3)
    actions = sampler.module.forward_inference({"obs": obs})["actions"]
    expected = sampler.module.act(obs, torch.empty(5, 0), None, explore=False)
    torch.testing.assert_close(actions, expected)
