"""RL² in the comparisons with MAESN: judged on trials like those it has learned from."""

import pytest

from expedition.platform import catalog
from expedition.platform.resolve import Choices


@pytest.mark.parametrize("preset", ["paper", "quick"])
@pytest.mark.parametrize("domain", ["ring", "wheeled", "pusher", "ant"])
def test_training_trials_are_as_long_as_the_tests(domain: str, preset: str) -> None:
    experiment = catalog.declared(f"maesn/fig6_{domain}", Choices(preset=preset))
    settings = experiment.config_of("rl2")
    assert settings["episodes_per_task"] == settings["test_steps"] + 1
