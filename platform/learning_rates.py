"""Learning rates of a method's optimisers, which a checkpoint brings along with their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_OPTIMIZER

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm
    from ray.rllib.utils.typing import StateDict

_GROUPS = "param_groups"
_STATE = [f"{COMPONENT_LEARNER}/{COMPONENT_OPTIMIZER}"]

Rates = Mapping[str, list[float]]  # optimiser -> rate of each of its groups of parameters


def learning_rates(algorithm: Algorithm) -> Rates:
    """Read the rates of the learner; none for a method without a learner or without optimisers."""
    group = getattr(algorithm, "learner_group", None)
    if group is None:
        return {}
    return {
        name: [parameters["lr"] for parameters in optimiser["state"][_GROUPS]]
        for name, optimiser in _optimisers(group.get_state(components=_STATE)).items()
    }


def set_learning_rates(algorithm: Algorithm, rates: Rates) -> None:
    """Give the optimisers of the learner other rates and leave the rest of their state.

    Args:
        algorithm: Its optimisers have the names and groups of `rates`.
        rates: From `learning_rates`.
    """
    if not rates:
        return
    state = algorithm.learner_group.get_state(components=_STATE)
    for name, optimiser in _optimisers(state).items():
        for parameters, rate in zip(optimiser["state"][_GROUPS], rates[name], strict=True):
            parameters["lr"] = rate
    algorithm.learner_group.set_state(state)


def _optimisers(state: StateDict) -> StateDict:
    return dict(state[COMPONENT_LEARNER].get(COMPONENT_OPTIMIZER, {}))
