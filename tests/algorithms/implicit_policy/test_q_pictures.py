"""What figures show of Q and of the policy at single states."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms import registry
from expedition.algorithms.implicit_policy.q_pictures import DRAWS, GRID, picture

STATES = np.array([[0.0, 0.0], [2.5, -1.0]], np.float32)


def make_learner(method: str, **settings: Any) -> Any:
    config = registry.config_class(method)().debugging(seed=3).training(**settings)
    config.environment(
        observation_space=gym.spaces.Box(-7, 7, (2,), np.float32),
        action_space=gym.spaces.Box(-1, 1, (2,), np.float32),
    )
    return config.build_learner()


@pytest.mark.parametrize(
    ("method", "settings"), [("nbp", {"observation_scale": 5.0}), ("sql", {}), ("ddpg", {})]
)
def test_q_is_that_of_the_network_at_every_action_of_the_grid(method: str, settings: dict):
    learner = make_learner(method, **settings)
    before = learner.noise.get_state()
    arrays = picture(learner, STATES, seed=4, explore=False)
    assert torch.equal(learner.noise.get_state(), before)  # training is not disturbed
    module = learner.module["default_policy"].unwrapped()
    scale = settings.get("observation_scale", 1.0)
    obs, action = torch.from_numpy(STATES[1:]), torch.tensor([[1.0, -0.5]])
    with torch.no_grad():  # the filter of a new DDPG changes nothing
        q = (
            module.q(obs, action)
            if method == "ddpg"
            else module.q(torch.cat((obs / scale, action), 1))
        )
    values = arrays["eval/state-1/q_values"]
    assert values.shape == (GRID, GRID)
    assert values[GRID - 1, GRID // 4] == pytest.approx(q.item(), abs=1e-6)
    np.testing.assert_array_equal(arrays["eval/state-1/state"], STATES[1])
    drawn = arrays["eval/state-0/actions"]
    assert drawn.shape == (DRAWS, 2)
    assert (np.ptp(drawn, axis=0) == 0).all() == (method == "ddpg")  # the others always draw
    again = picture(learner, STATES, seed=4, explore=False)
    np.testing.assert_array_equal(again["eval/state-0/actions"], drawn)
