"""Gymnasium environments of the experiments, their coverage metrics and exact snapshots.

Importing this package registers the ids ``expedition/...`` with Gymnasium::

    import gymnasium as gym
    import expedition.envs

    env = gym.make("expedition/Navigation-v0", halls=5)
    envs = gym.make_vec("expedition/Navigation-v0", num_envs=64, halls=5)  # native NumPy
"""

import gymnasium as gym

gym.register(
    id="expedition/Navigation-v0",
    entry_point="expedition.envs.navigation:NavigationEnv",
    vector_entry_point="expedition.envs.navigation:NavigationVectorEnv",
    max_episode_steps=100,
)
