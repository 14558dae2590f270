import gymnasium as gym
import numpy as np
import pytest
import task_walk
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from expedition.algorithms.core.episodes import EpisodeBatch, EpisodeSampler, joined
from expedition.algorithms.core.gaussian_policy import ActingPolicy, Gaussian, GaussianPolicy
from expedition.envs.tasks import set_tasks

TASKS = np.array([[-1.0], [0.5], [2.0]])
COPIES = 4


def policy(drift: float = 0.0) -> GaussianPolicy:
    torch.manual_seed(0)
    made = GaussianPolicy(1, 1, (8,), latent_dim=2, init_std=0.7)
    with torch.no_grad():
        made.bias_1.fill_(drift)
    return made


def arrays(made: GaussianPolicy) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in made.named_parameters()}


def sampled(tasks: np.ndarray, first: int = 0, drift: float = 0.0) -> EpisodeBatch:
    copies = len(tasks) * COPIES
    env = SyncVectorEnv(
        [lambda: gym.make(task_walk.ENV_ID)] * copies, autoreset_mode=AutoresetMode.SAME_STEP
    )
    set_tasks(env, tasks.repeat(COPIES, 0))
    latents = np.random.default_rng(5).normal(size=(10, COPIES, 2))[first : first + len(tasks)]
    generators = [np.random.default_rng([7, first + index]) for index in range(len(tasks))]
    acting = ActingPolicy(arrays(policy(drift)), "relu", latents)
    return EpisodeSampler(env, COPIES).sample(acting, generators)


def test_a_task_gets_the_same_episodes_whatever_else_is_in_the_batch():
    together, alone = sampled(TASKS, drift=0.3), sampled(TASKS[1:], first=1, drift=0.3)
    steps = alone.mask.shape[2]
    for name in ("obs", "actions", "means", "rewards", "mask"):
        np.testing.assert_array_equal(
            getattr(together, name)[1:, :, :steps], getattr(alone, name), err_msg=name
        )
    np.testing.assert_array_equal(together.last_obs[1:], alone.last_obs)


def test_what_is_recorded_is_what_the_environment_did():
    batch = sampled(TASKS)
    applied = 0.5 * np.clip(batch.actions[..., 0], -1, 1)
    np.testing.assert_allclose(
        batch.next_obs[batch.mask][:, 0], (batch.obs[..., 0] + applied)[batch.mask], atol=1e-6
    )
    distance = np.abs(batch.next_obs[..., 0] - TASKS[:, None])
    np.testing.assert_allclose(batch.rewards[batch.mask], -distance[batch.mask], atol=1e-6)
    inside = (distance <= 0.3) & batch.mask
    np.testing.assert_array_equal(batch.reached, inside.any(-1))
    assert 0 < batch.reached.mean() < 1


def test_an_episode_that_ends_early_is_masked_and_the_rest_not_counted():
    batch = sampled(TASKS, drift=5.0)
    assert set(batch.lengths.flat) == {6, 7}
    assert batch.env_steps == batch.lengths.sum() == batch.mask.sum()
    assert (batch.last_obs > 3).all()
    assert not batch.rewards[~batch.mask].any()
    lengths = batch.lengths
    for task, episode in np.ndindex(lengths.shape):
        assert not batch.mask[task, episode, lengths[task, episode] :].any()
        last = batch.next_obs[task, episode, lengths[task, episode] - 1]
        np.testing.assert_array_equal(last, batch.last_obs[task, episode])


def test_the_acting_policy_is_the_torch_policy():
    batch, made = sampled(TASKS), policy()
    latents = np.random.default_rng(5).normal(size=(10, COPIES, 2))[:3]
    parameters = dict(made.named_parameters())
    obs, latents = torch.from_numpy(batch.obs), torch.from_numpy(latents).float()
    means = made.mean(parameters, obs, latents)
    np.testing.assert_allclose(batch.means, means.detach().numpy(), atol=1e-6)
    by_hand = torch.cat((obs, latents[:, :, None].expand(3, 4, 8, 2)), -1)
    torch.testing.assert_close(made.mean(parameters, by_hand), means)


def test_a_policy_a_task_acts_with_that_tasks_parameters():
    torch.manual_seed(1)
    stacked = GaussianPolicy(2, 1, (4,), tasks=3, activation="tanh")
    obs = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    acted = ActingPolicy(arrays(stacked), "tanh").means(obs)
    for task in range(3):
        own = GaussianPolicy(2, 1, (4,), activation="tanh")
        values = {name: p[task] for name, p in stacked.named_parameters()}
        mean = own.mean(values, torch.from_numpy(obs[task]))
        np.testing.assert_allclose(acted[task], mean.detach().numpy(), atol=1e-6)


def test_batches_join_along_episodes_with_padding():
    long, short = sampled(TASKS), sampled(TASKS, drift=5.0)
    both = joined([short, long], 1)
    assert both.mask.shape == (3, 8, 8)
    np.testing.assert_allclose(both.returns[:, :4], short.returns)
    np.testing.assert_allclose(both.returns[:, 4:], long.returns)
    assert both.env_steps == long.env_steps + short.env_steps


def test_gaussian_densities_and_divergences_are_torchs():
    torch.manual_seed(2)
    old, new = (
        Gaussian(torch.randn(5, 3).double(), torch.randn(1, 3).double() / 2) for _ in range(2)
    )
    normal = [torch.distributions.Normal(g.mean, g.log_std.exp().expand(5, 3)) for g in (old, new)]
    actions = torch.randn(5, 3).double()
    torch.testing.assert_close(old.log_prob(actions), normal[0].log_prob(actions).sum(-1))
    torch.testing.assert_close(old.kl_to(new), torch.distributions.kl_divergence(*normal).sum(-1))
    assert old.kl_to(old).abs().max() == pytest.approx(0, abs=1e-14)
