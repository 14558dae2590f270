import pytest

from expedition.algorithms import registry

METHODS = (
    "count",
    "diayn",
    "disagreement",
    "icm",
    "pseudocount",
    "random",
    "rnd",
    "sac",
    "smm",
    "maml",
    "rl2",
    "vime",
    "ppo",
    "nfp",
    "nbp",
    "ddpg",
    "sql",
    "a2c",
    "cem",
)


@pytest.mark.parametrize("method", METHODS)
def test_an_algorithms_class_knows_its_own_config(method: str):
    # Tune asks the class, not the config, what a trial needs.
    config = registry.config_class(method)().environment("expedition/Navigation-v0")
    assert type(config.algo_class.get_default_config()) is type(config)
    assert config.algo_class.default_resource_request(config).required_resources == {"CPU": 1.0}
