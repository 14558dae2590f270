"""RLlib's own PPO with a Gaussian policy, at the settings that ours is compared with."""

from typing import Any

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import MeanStdFilter
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

BATCH, EPOCHS = 2048, 10


def rllib_ppo(env: str, seed: int, *, lr: Any, minibatch: int, copies: int) -> PPOConfig:
    """The numbers of OpenAI baselines' ppo1, hidden layers 64-64, standardised observations.

    Args:
        env: Environment id.
        seed: Of everything.
        lr: Step size, or RLlib's schedule.
        minibatch: Steps of a gradient step.
        copies: Of the environment, in this process.
    """
    config = PPOConfig().environment(env).debugging(seed=seed)
    config.training(
        lr=lr,
        gamma=0.99,
        lambda_=0.95,
        train_batch_size_per_learner=BATCH,
        minibatch_size=minibatch,
        num_epochs=EPOCHS,
        clip_param=0.2,
        use_kl_loss=False,
        vf_clip_param=float("inf"),
    ).env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=copies,
        env_to_module_connector=lambda env, spaces, device: MeanStdFilter(clip_by_value=5.0),
    )
    model = DefaultModelConfig(fcnet_hiddens=[64, 64], free_log_std=True, vf_share_layers=False)
    return config.rl_module(model_config=model)
