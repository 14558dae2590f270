"""Losses, advantages and steps of the PPO learner, against formulas and RLlib's own."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from expedition.algorithms.implicit_policy.nfp import NFPConfig
from expedition.algorithms.ppo import A2CConfig, PPOConfig
from expedition.algorithms.ppo.learner import PPOLearner
from expedition.algorithms.ppo.policy import GaussianDensityPolicy, StateNet

OBS, ACTIONS = 3, 2
OBS_SPACE = spaces.Box(-np.inf, np.inf, (OBS,), np.float32)
ACTION_SPACE = spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)


def make_learner(config: PPOConfig | None = None, **settings) -> PPOLearner:
    config = (config or PPOConfig()).training(**settings).debugging(seed=3)
    config.environment(observation_space=OBS_SPACE, action_space=ACTION_SPACE)
    learner = config.build_learner(
        spaces={DEFAULT_MODULE_ID: (OBS_SPACE, ACTION_SPACE)},
    )
    return learner


def chunk(learner: PPOLearner, steps: int, seed: int, **ends: bool) -> SingleAgentEpisode:
    """A chunk that the learner's own policy acted in; the reward is minus the action's square."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(steps + 1, OBS)).astype(np.float32)
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    with torch.no_grad():
        draw = module.draw(torch.from_numpy(obs[:-1]), torch.Generator().manual_seed(seed))
    raw = draw.raw.numpy()
    return SingleAgentEpisode(
        observations=obs,
        infos=[{}] * (steps + 1),
        actions=raw,
        rewards=-np.square(raw).sum(1).astype(np.float32),
        extra_model_outputs={Columns.ACTION_LOGP: draw.log_prob.numpy()},
        len_lookback_buffer=0,
        **ends,
    )


def rows_of(learner: PPOLearner, chunks: list[SingleAgentEpisode]) -> dict[str, torch.Tensor]:
    from ray.rllib.core.learner.training_data import TrainingData

    return learner._rows(TrainingData(episodes=chunks))[0]


def test_advantages_are_the_generalised_estimates_and_all_but_a_true_end_bootstraps():
    learner = make_learner(standardise_advantages="no", gamma=0.9, lambda_=0.8)
    chunks = [
        chunk(learner, 4, 0, terminated=True),
        chunk(learner, 3, 1, truncated=True),
        chunk(learner, 2, 2),
    ]
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    expected = []
    for part, final in zip(chunks, (0.0, 1.0, 1.0), strict=True):
        obs = torch.from_numpy(np.asarray(part.observations.data))
        values = module.compute_values({Columns.OBS: obs}).detach().numpy().astype(float)
        values[-1] *= final
        rewards = np.asarray(part.rewards.data)
        errors = rewards + 0.9 * values[1:] - values[:-1]
        for t in range(len(errors)):
            expected.append(sum(0.72**k * error for k, error in enumerate(errors[t:])))
    found = rows_of(learner, chunks)[Postprocessing.ADVANTAGES]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_advantages_are_standardised_over_the_steps_that_were_made():
    learner = make_learner()
    rows = rows_of(learner, [chunk(learner, 1, seed, terminated=True) for seed in range(6)])
    advantages = rows[Postprocessing.ADVANTAGES]
    assert len(advantages) == 6
    assert advantages.mean().item() == pytest.approx(0, abs=1e-6)
    assert advantages.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("bounds", ["clip", "squash"])
@pytest.mark.parametrize(
    ("config_class", "settings"),
    [(PPOConfig, {}), (NFPConfig, {}), (NFPConfig, {"state_in_couplings": True})],
)
def test_ratio_is_one_before_the_first_step(config_class, settings, bounds):
    learner = make_learner(config_class(), action_bounds=bounds, **settings)
    rows = rows_of(learner, [chunk(learner, 50, 0)])
    policy = learner.module[DEFAULT_MODULE_ID].unwrapped().policy
    log_prob = policy.log_prob(rows["features"], rows[Columns.ACTIONS])
    torch.testing.assert_close(log_prob, rows[Columns.ACTION_LOGP], atol=1e-4, rtol=1e-5)


def test_loss_is_the_clipped_surrogate_plus_values_minus_entropy():
    learner = make_learner(entropy_coeff=0.3, vf_loss_coeff=0.5)
    rows = rows_of(learner, [chunk(learner, 40, 0)])
    rows[Columns.ACTION_LOGP] += torch.linspace(-1, 1, 40)  # as if another policy had acted
    loss = learner.compute_loss_for_module(
        module_id=DEFAULT_MODULE_ID, config=learner.config, batch=rows, fwd_out={}
    )
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    policy = Normal(module.policy.mean_net(rows["features"]), module.policy.log_std.exp())
    ratio = (policy.log_prob(rows["actions"]).sum(-1) - rows[Columns.ACTION_LOGP]).exp()
    advantages = rows[Postprocessing.ADVANTAGES]
    surrogate = [
        min(r * a, min(max(r, 0.8), 1.2) * a)
        for r, a in zip(ratio.tolist(), advantages.tolist(), strict=True)
    ]
    errors = module.values(rows["features"]) - rows[Postprocessing.VALUE_TARGETS]
    entropy = policy.entropy().sum(-1).mean()
    expected = -np.mean(surrogate) + 0.5 * errors.square().mean() - 0.3 * entropy
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_squashed_gaussian_has_the_density_of_its_actions():
    policy = GaussianDensityPolicy(StateNet((OBS, 4, ACTIONS), "tanh"), ACTIONS, 0.7, squash=True)
    obs, noise = torch.randn(20, OBS), torch.randn(20, ACTIONS)
    raw, log_prob = policy.draw(obs, noise)
    normal = Independent(Normal(policy.mean_net(obs), policy.log_std.exp()), 1)
    reference = TransformedDistribution(normal, [TanhTransform(cache_size=1)])
    expected = reference.log_prob(torch.tanh(raw.double()))
    torch.testing.assert_close(log_prob.double(), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(policy.log_prob(obs, raw), log_prob, atol=1e-5, rtol=1e-5)


def test_entropy_bonus_widens_the_flow_and_log_density_of_taken_actions_does_not():
    """Only the draw's own gradient is one of the entropy; that of the taken actions vanishes."""
    learner = make_learner(
        NFPConfig(), init_std=0.1, entropy_coeff=1.0, lr=1e-2, entropy_samples=10
    )
    policy = learner.module[DEFAULT_MODULE_ID].unwrapped().policy
    features = torch.randn(256, OBS)
    noise = torch.randn(2560, ACTIONS)
    before = policy.entropy(features, noise).item()
    start = {name: p.detach().clone() for name, p in policy.named_parameters()}
    with torch.no_grad():
        raw = policy.draw(features, torch.randn(256, ACTIONS)).raw
    gains = {}
    for kind in ("fresh", "taken"):
        policy.load_state_dict(start)
        optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
        for _ in range(60):
            fresh = torch.randn(2560, ACTIONS)
            entropy = policy.entropy(features, fresh)
            if kind == "taken":
                with torch.no_grad():
                    raw = policy.draw(features, fresh[:256]).raw
                entropy = -policy.log_prob(features, raw).mean()
            optimizer.zero_grad()
            (-entropy).backward()
            optimizer.step()
        gains[kind] = policy.entropy(features, noise).item() - before
    assert gains["fresh"] > 2 * 0.5  # two dimensions, each wider by half a nat
    assert abs(gains["taken"]) < 0.25 * gains["fresh"]


@pytest.mark.parametrize(
    ("config_class", "lr", "iterations"),
    [(PPOConfig, 3e-3, 12), (NFPConfig, 3e-3, 12), (A2CConfig, 3e-3, 150)],
)
def test_updates_raise_the_reward_of_a_one_step_task(config_class, lr, iterations):
    learner = make_learner(config_class(), lr=lr, gamma=0.0)
    rewards = []
    for iteration in range(iterations):
        part = [chunk(learner, 200, iteration, terminated=True)]
        rewards.append(float(np.mean(part[0].rewards.data)))
        learner.update(episodes=part)
    assert rewards[0] == pytest.approx(-2, abs=0.5)
    assert np.mean(rewards[-2:]) > -1.3
    per_batch = 1 if config_class is A2CConfig else 10 * 4
    assert learner.updates == iterations * per_batch


def test_actor_critic_follows_the_gradient_of_advantage_times_log_density():
    learner = make_learner(A2CConfig())
    rows = rows_of(learner, [chunk(learner, 30, 0)])
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    loss = learner.compute_loss_for_module(
        module_id=DEFAULT_MODULE_ID, config=learner.config, batch=rows, fwd_out={}
    )
    log_prob = module.policy.log_prob(rows["features"], rows[Columns.ACTIONS])
    errors = module.values(rows["features"]) - rows[Postprocessing.VALUE_TARGETS]
    expected = -(rows[Postprocessing.ADVANTAGES] * log_prob).mean() + 0.5 * errors.square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_filter_takes_in_a_batch_only_after_the_update():
    learner = make_learner()
    module = learner.module[DEFAULT_MODULE_ID].unwrapped()
    part = chunk(learner, 100, 0)
    obs = torch.from_numpy(np.asarray(part.observations.data)[:-1].copy())
    torch.testing.assert_close(rows_of(learner, [chunk(learner, 100, 0)])["features"], obs)
    learner.update(episodes=[part])
    filtered = module.filter(obs)
    torch.testing.assert_close(filtered.mean(0), torch.zeros(OBS), atol=1e-5, rtol=0)
    torch.testing.assert_close(filtered.std(0, correction=0), torch.ones(OBS))
    assert module.filter(100 * obs).abs().max() == 5


def test_step_size_and_clip_range_fall_with_the_steps():
    learner = make_learner(preset="ppo1", decay_steps=1000)
    learner._start_schedules({"num_env_steps_sampled_lifetime": 250})
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.75 * 3e-4)
    assert learner._clip_range == pytest.approx(0.15)


@pytest.mark.parametrize(("bounds", "share"), [("clip", 0.317), ("raw", 0.317), ("squash", 0.0)])
def test_actions_are_outside_the_bounds_unless_squashed(bounds, share):
    learner = make_learner(action_bounds=bounds, lr=0.0)
    learner.update(episodes=[chunk(learner, 4000, 0)])
    assert learner.pop_statistics()["outside_bounds"] == pytest.approx(share, abs=0.02)


def test_presets_yield_to_settings_given_with_them():
    config = PPOConfig().training(preset="ppo2", vf_loss_coeff=0.7)
    assert (config.grad_clip, config.vf_loss_coeff) == (0.5, 0.7)
    assert config.standardise_advantages == "minibatch"


def test_ppo2_weighs_half_of_half_the_squared_error():
    assert PPOConfig().training(preset="ppo2").vf_loss_coeff == 0.5 * 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"action_bounds": "clamp"}, "action_bounds='clamp'"),
        ({"preset": "ppo1"}, "decay_clip=True, decay_steps=None: .* set decay_steps to"),
        (
            {"decay_steps": 100, "lr": [[0, 1e-3], [100, 0.0]]},
            "decay_steps=100: the step size has a schedule already",
        ),
    ],
)
def test_settings_that_do_nothing_or_do_not_agree_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PPOConfig().environment("Pendulum-v1").training(**settings).validate()
