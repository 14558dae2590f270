from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.tune.schedulers import PopulationBasedTraining

from expedition.platform.groups import Population

INTERVAL, BUDGET = 10, 50


class _Member:
    """What the scheduler asks of a trial; a copy is as far as the one that was copied."""

    def __init__(self, number: int) -> None:
        self.trial_id = str(number)
        self.experiment_tag = str(number)
        self.config: dict[str, Any] = {"trial": f"member_{number}", "search": {"gain": number}}
        self.status = "PENDING"
        manager = SimpleNamespace(checkpoint_config=SimpleNamespace(num_to_keep=None))
        self.run_metadata = SimpleNamespace(checkpoint_manager=manager)
        self.evaluated_params: dict[str, Any] = {}
        self.env_steps = 0

    def is_finished(self) -> bool:
        return self.status == "TERMINATED"

    def set_experiment_tag(self, tag: str) -> None:
        self.experiment_tag = tag

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config
        copied = self.run_metadata.checkpoint_manager._latest_checkpoint_result
        assert copied is None

    def resume(self) -> None:
        """Go on from the checkpoint that a copy was given, if it was given one."""
        manager = self.run_metadata.checkpoint_manager
        if getattr(manager, "_latest_checkpoint_result", None) is not None:
            self.env_steps = manager._latest_checkpoint_result.checkpoint.env_steps
        manager._latest_checkpoint_result = None
        self.status = "RUNNING"


class _OneProcess:
    """A controller with room for one member at a time."""

    search_alg = None

    def __init__(self, members: list[_Member]) -> None:
        self.members = members

    def get_trials(self) -> list[_Member]:
        return self.members

    def _schedule_trial_save(self, trial: _Member, result: dict[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(env_steps=trial.env_steps)

    def pause_trial(self, trial: _Member, should_checkpoint: bool) -> None:
        trial.status = "PAUSED"


def _turns(kind: type[PopulationBasedTraining], slope: float, limit: int = 200) -> list[str]:
    """Run a population whose objective depends on the steps alone; who had a turn, in order."""
    scheduler = kind(
        time_attr="env_steps", metric="objective", mode="max", perturbation_interval=INTERVAL,
        hyperparam_mutations={"search": {"gain": [0, 1, 2, 3]}}, log_config=False,
    )  # fmt: skip
    members = [_Member(number) for number in range(4)]
    controller = cast(Any, _OneProcess(members))
    for member in members:
        scheduler.on_trial_add(controller, cast(Any, member))
    order: list[str] = []
    while len(order) < limit:
        member = cast(Any, scheduler.choose_trial_to_run(controller))
        if member is None:
            break
        member.resume()
        while member.status == "RUNNING":
            order.append(member.trial_id)
            member.env_steps += INTERVAL
            result = {"env_steps": member.env_steps, "objective": slope * member.env_steps}
            if member.env_steps >= BUDGET:
                member.status = "TERMINATED"
                scheduler.on_trial_complete(controller, member, result)
            elif scheduler.on_trial_result(controller, member, result) == "PAUSE":
                member.status = "PAUSED"
    return order


@pytest.mark.parametrize("slope", [-1.0, 0.0, 1.0])
def test_every_member_of_a_population_ends_also_with_one_process(slope: float) -> None:
    order = _turns(Population, slope)
    assert len(order) < 60
    assert set(order[:8]) == {"0", "1", "2", "3"}


def test_tunes_own_population_can_let_one_member_run_for_ever() -> None:
    order = _turns(PopulationBasedTraining, -1.0)
    assert len(order) >= 200
    assert len(set(order[50:])) == 1
