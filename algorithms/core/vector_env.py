"""Builds the vector environment of an env runner, with same-step resets."""

import importlib
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from ray.rllib.env.env_context import EnvContext

import expedition.envs  # noqa: F401  registers expedition/* in this process
from expedition.algorithms.core.rllib import EnvCreator, registered_env
from expedition.envs.snapshot import Snapshotable


def make_vector_env(
    env: str | EnvCreator, env_config: EnvContext, num_envs: int, vectorize_mode: str
) -> VectorEnv:
    """Make ``num_envs`` copies of an environment that reset in the step that ends an episode.

    With ``AutoresetMode.SAME_STEP`` no dummy reset step enters the data, and the true final
    observation is in ``infos["final_obs"]``.

    Args:
        env: A Gymnasium id, a name registered with Ray Tune, or a function of an ``EnvContext``.
        env_config: Keyword arguments of the environment.
        num_envs: Number of copies.
        vectorize_mode: ``"vector_entry_point"`` uses the environment's own vector form if it has
            one that resets in the same step and otherwise runs the copies one after the other;
            ``"sync"`` always does the latter; ``"async"`` gives every copy a process.
    """
    if not isinstance(env, str):
        return _sync(env, env_config, num_envs)
    registered = registered_env(env)
    if registered is not None:
        return _sync(registered, env_config, num_envs)
    if vectorize_mode == "vector_entry_point":
        native = _native_vector_env(env, env_config, num_envs)
        if native is not None:
            return native
    same_step: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}
    if vectorize_mode == "async":
        wrappers = (Snapshotable,)  # so that a checkpoint reaches into the processes
        return gym.make_vec(
            env, num_envs, "async", vector_kwargs=same_step, wrappers=wrappers, **env_config
        )
    return gym.make_vec(
        env, num_envs, "sync", vector_kwargs=same_step | {"copy": False}, **env_config
    )


def _sync(creator: EnvCreator, env_config: EnvContext, num_envs: int) -> VectorEnv:
    makers = [lambda: creator(env_config)] * num_envs
    return SyncVectorEnv(makers, copy=False, autoreset_mode=AutoresetMode.SAME_STEP)


def _native_vector_env(env_id: str, env_config: EnvContext, num_envs: int) -> VectorEnv | None:
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    spec = gym.registry.get(name)
    if spec is None or spec.vector_entry_point is None:
        return None
    native = gym.make_vec(env_id, num_envs, "vector_entry_point", **env_config)
    if native.metadata.get("autoreset_mode") == AutoresetMode.SAME_STEP:
        return native
    native.close()
    return None
