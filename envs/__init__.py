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
gym.register(
    id="expedition/ManipulationFetch-v0",
    entry_point="expedition.envs.manipulation.fetch_env:ManipulationFetchEnv",
    max_episode_steps=50,
)
gym.register(
    id="expedition/ManipulationPlanar-v0",
    entry_point="expedition.envs.manipulation:ManipulationPlanarEnv",
    vector_entry_point="expedition.envs.manipulation:ManipulationPlanarVectorEnv",
    max_episode_steps=50,
)
gym.register(
    id="expedition/DClaw-v0",
    entry_point="expedition.envs.dclaw:DClawEnv",
    max_episode_steps=50,
)

# Families of tasks (:mod:`expedition.envs.tasks`), each with its horizon.
for _family, _folder, _horizon in (
    ("Ring", "ring", 50),
    ("PointGoals", "point", 100),
    ("Wheeled", "wheeled", 200),
    ("BlockPusher", "pusher", 100),
    ("AntGoals", "ant_goals", 200),
    ("HalfCheetahDirection", "cheetah_direction", 200),
):
    gym.register(
        id=f"expedition/{_family}-v0",
        entry_point=f"expedition.envs.{_folder}:{_family}Env",
        vector_entry_point=f"expedition.envs.{_folder}:{_family}VectorEnv",
        max_episode_steps=_horizon,
    )

# Worlds over arrays of agents (:mod:`expedition.envs.array_world`), each with its horizon.
for _name, _folder, _steps in (
    ("GaussianBandit", "bandit", None),  # its only step terminates
    ("MultiGoal", "multi_goal", 30),
    ("PointRun", "point_run", 200),
    ("Imitation1D", "imitation", 200),
    ("BimodalReacher", "reacher", 50),
):
    gym.register(
        id=f"expedition/{_name}-v0",
        entry_point=f"expedition.envs.{_folder}:{_name}Env",
        vector_entry_point=f"expedition.envs.{_folder}:{_name}VectorEnv",
        max_episode_steps=_steps,
    )

gym.register(
    id="expedition/NoisyObservations-v0",
    entry_point="expedition.envs.noisy:NoisyObservationsEnv",  # horizon: the inner environment's
)
for _name in ("AntSpeed", "AntHallway"):
    gym.register(
        id=f"expedition/{_name}-v0",
        entry_point=f"expedition.envs.ant_run:{_name}Env",
        max_episode_steps=1_000,
    )
gym.register(
    id="expedition/StochasticSwimmer-v0",
    entry_point="expedition.envs.swimmer:StochasticSwimmerEnv",
    max_episode_steps=1_000,
)
