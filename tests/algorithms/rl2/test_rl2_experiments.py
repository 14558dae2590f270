"""RL² in the comparisons with MAESN: judged on trials like those it has learned from."""

import pytest

from expedition.algorithms.rl2 import RL2Config
from expedition.platform import catalog, overrides
from expedition.platform.errors import UserError
from expedition.platform.resolve import Choices


@pytest.mark.parametrize("preset", ["paper", "quick"])
@pytest.mark.parametrize("domain", ["ring", "wheeled", "pusher", "ant"])
def test_training_trials_are_as_long_as_the_tests(domain: str, preset: str) -> None:
    experiment = catalog.declared(f"maesn/fig6_{domain}", Choices(preset=preset))
    settings = experiment.config_of("rl2")
    assert settings["episodes_per_task"] == settings["test_steps"] + 1


@pytest.mark.parametrize("setting", ["hidden_sizes", "activation"])
def test_settings_of_a_perceptron_are_refused(setting: str) -> None:
    with pytest.raises(TypeError, match=f"RL2Config has no setting '{setting}'"):
        RL2Config().training(**{setting: (32, 32)})


def test_a_comparison_gives_its_common_widths_to_the_perceptrons_alone() -> None:
    experiment = catalog.load("maesn/fig6_ring", Choices(variants=["rl2", "maesn"]))
    assert experiment.config_of("maesn")["hidden_sizes"] == [32, 32]
    assert "hidden_sizes" not in experiment.config_of("rl2")
    assert experiment.config_of("rl2")["max_kl"] == 0.01
    typed = (overrides.parse("variants.rl2.config.hidden_sizes=[32]"),)
    with pytest.raises(UserError, match=r"unknown rl2 setting 'hidden_sizes'.*hidden_size"):
        catalog.load("maesn/fig6_ring", Choices(overrides=typed))
