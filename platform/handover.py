"""From one stage of a trial to the next: what a new algorithm takes over from the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_OPTIMIZER, COMPONENT_RL_MODULE

from expedition.algorithms.core.learner import COMPONENT_REPLAY
from expedition.platform.errors import UserError

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm
    from ray.rllib.utils.typing import StateDict

_COMPONENTS = {"optimisers": COMPONENT_OPTIMIZER, "replay": COMPONENT_REPLAY}


def networks_of(algorithm: Algorithm, keep: Sequence[str] = ()) -> StateDict:
    """Copy what goes over to the next stage.

    Args:
        algorithm: At the end of its stage.
        keep: ``replay``, ``optimisers``: what goes along besides the module.

    Returns:
        The learner's module, whole: policy, critics, targets, and whatever else it holds that is
        learned or measured, such as statistics of observations; and what ``keep`` says.
    """
    names = [COMPONENT_RL_MODULE, *(_COMPONENTS[name] for name in keep)]
    return algorithm.learner_group.get_state(
        components=[f"{COMPONENT_LEARNER}/{name}" for name in names]
    )


def hand_over(state: StateDict, algorithm: Algorithm, stage: str) -> None:
    """Give a new algorithm what the stage before has learned; its runners get it as well.

    Args:
        state: Of :func:`networks_of`.
        algorithm: Untrained.
        stage: Name of the new stage.

    Raises:
        UserError: The networks of the two stages are not alike.
    """
    try:
        algorithm.learner_group.set_state(state)
    except (RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"stages.{stage}: the networks of the stage before do not fit: {reason}"
        ) from error
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group)
