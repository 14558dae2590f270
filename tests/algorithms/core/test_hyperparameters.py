import pytest

from expedition.algorithms import registry
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.sac import SACConfig
from expedition.algorithms.smm import SMMConfig


@pytest.mark.parametrize(
    ("hyperparameter", "value", "message"),
    [
        (Hyperparameter(0.5, "", low=0, high=1), 1.5, "a number from 0 to 1"),
        (Hyperparameter(0.5, "", low=0, high=1), "fast", "a number from 0 to 1"),
        (Hyperparameter(0.5, "", low=0, high=1), float("nan"), "a number from 0 to 1"),
        (Hyperparameter(3, "", low=1), 0, "at least 1"),
        (Hyperparameter(3, "", low=1), 2.5, "a whole number"),
        (Hyperparameter("a", "", choices=("a", "b")), "c", "one of 'a', 'b'"),
        (Hyperparameter("auto", "", low=0, words=("auto",)), "autp", "at least 0 or 'auto'"),
        (Hyperparameter(True, "", low=0), True, "at least 0"),
    ],
)
def test_a_value_outside_its_range_is_named_with_the_range(hyperparameter, value, message):
    with pytest.raises(ValueError, match=message) as error:
        hyperparameter.check("key", value)
    assert f"key={value!r}" in str(error.value)


def test_values_inside_their_range_pass():
    Hyperparameter(3, "", low=1).check("key", 4)
    Hyperparameter("auto", "", low=0, words=("auto",)).check("key", 0.3)
    Hyperparameter(None, "", low=1, words=(None,)).check("key", None)


def test_an_unknown_setting_names_the_nearest_one():
    with pytest.raises(
        TypeError, match=r"SACConfig has no setting 'taau' \(did you mean 'tau'\?\)"
    ):
        SACConfig().training(taau=0.1)


def test_rllibs_own_settings_are_taken_beside_the_declared_ones():
    config = SACConfig().training(tau=0.2, grad_clip=1.0)
    assert (config.tau, config.grad_clip) == (0.2, 1.0)


def test_validation_names_key_value_and_range():
    config = SACConfig().environment("Pendulum-v1").training(gamma=1.5)
    with pytest.raises(ValueError, match=r"gamma=1.5: must be a number from 0 to 1"):
        config.validate()


def test_a_method_overrides_the_defaults_of_its_parent():
    assert SACConfig().variant == "v2"
    assert SMMConfig().variant == "v1"
    assert SMMConfig.hyperparameters()["gamma"].default == 0.99


@pytest.mark.parametrize("name", sorted(registry._BUILT_IN))
def test_every_registered_method_documents_every_hyperparameter(name: str):
    config = registry.config_class(name)()
    for key, hyperparameter in config.hyperparameters().items():
        assert hyperparameter.help, key
        assert getattr(config, key) == hyperparameter.default
        hyperparameter.check(key, hyperparameter.default)
    assert registry.describe(name)


@pytest.mark.parametrize("name", sorted(registry._BUILT_IN))
def test_a_setting_of_minus_one_is_not_taken_for_a_deprecated_one(name: str):
    config = registry.config_class(name)()
    free = [
        key
        for key, declared in config.hyperparameters().items()
        if isinstance(declared.default, float) and (declared.low is None or declared.low <= -1)
    ]
    config.update_from_dict(dict.fromkeys(free, -1.0))
    copied = type(config)().from_state(config.get_state())  # as RLlib builds an algorithm
    assert {key: getattr(copied, key) for key in free} == dict.fromkeys(free, -1.0)


def test_an_unknown_method_names_the_nearest_one():
    with pytest.raises(registry.UnknownAlgorithmError, match="did you mean 'smm'"):
        registry.config_class("smmm")
