"""What Q says of all actions at single states, and what the policy draws there: for figures."""

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from ray.rllib.utils.typing import ResultDict

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.evaluation import Arrays
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.learner import OffPolicyLearner

GRID = 41  # actions along either coordinate
DRAWS = 200  # actions of the policy at a state

Q_PICTURES: Mapping[str, Hyperparameter] = {
    "q_states": Hyperparameter(
        (),
        "states at which evaluations show Q and draws of the policy in figures, for actions of "
        "two coordinates; such as [[-2.5, 0], [0, 0], [2.5, 2.5]]",
        "fig. 2b",
    ),
}


class PicturingQ(OffPolicy):
    """Base of methods whose module has ``q_values`` and whose config has ``Q_PICTURES``."""

    def setup(self, config: OffPolicyConfig) -> None:
        """Build everything, and check the states of figures.

        Raises:
            ValueError: If the environment has other states, or actions not of two coordinates.
        """
        super().setup(config)
        module = self.env_runner.module
        states = self.config.q_states
        if any(np.shape(state) != (module.obs_dim,) for state in states):
            raise ValueError(
                f"q_states={states!r}: must be a list of states of {module.obs_dim} numbers"
            )
        if states and module.action_dim != 2:
            raise ValueError(
                f"q_states={states!r}: figures are of actions of 2 coordinates, "
                f"{self.config.env} has {module.action_dim}; leave q_states out"
            )

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Run episodes; then, at every state k of ``q_states``, look at Q and the policy.

        The arrays are those of ``picture``, as ``eval/state-<k>/<name>``.
        """
        results = super().evaluate(parallel_train_future)
        if self.config.q_states:
            ask = partial(
                picture,
                states=np.asarray(self.config.q_states, np.float32),
                seed=(self.config.seed or 0) + 1_000_003 * (self.iteration + 1),
                explore=bool(self.evaluation_config.explore),
            )
            self._eval_arrays |= next(iter(self.learner_group.foreach_learner(ask))).get()
        return results


def picture(learner: OffPolicyLearner, states: np.ndarray, seed: int, explore: bool) -> Arrays:
    """Evaluate Q on a grid of actions, and draw from the policy.

    Args:
        learner: Whose networks are looked at.
        states: ``[S, obs]``.
        seed: Of the policy's draws.
        explore: Whether it explores.

    Returns:
        For every state k ``eval/state-<k>/q_values`` ``[GRID, GRID]``, indexed by the first and the
        second coordinate of actions from -1 to 1 in units of the bounds, ``actions`` ``[DRAWS, 2]``
        and ``state`` ``[obs]``.
    """
    module = learner.module["default_policy"].unwrapped()
    if learner.device.type != "cpu":
        module = copy.deepcopy(module).cpu()
    generator = torch.Generator().manual_seed(seed)
    along = torch.linspace(-1.0, 1.0, GRID)
    grid = torch.cartesian_prod(along, along)
    arrays: Arrays = {}
    with torch.no_grad():
        for index, state in enumerate(torch.from_numpy(states)):
            context = module.draw_context(DRAWS, generator)
            drawn = module.act(state.expand(DRAWS, -1), context, generator, explore)
            q_values = module.q_values(state.expand(len(grid), -1), grid).view(GRID, GRID)
            arrays |= {
                f"eval/state-{index}/q_values": q_values.numpy(),
                f"eval/state-{index}/actions": drawn.numpy(),
                f"eval/state-{index}/state": state.numpy(),
            }
    return arrays
