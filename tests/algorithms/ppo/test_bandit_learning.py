"""What a flow can represent and a Gaussian cannot: two numbers that belong together."""

import pytest

from expedition.algorithms import registry


def metrics_after(method: str, iterations: int, **settings) -> dict[str, float]:
    config = registry.config_class(method)().environment("expedition/GaussianBandit-v0")
    config.training(
        torch_threads=1,
        train_batch_size_per_learner=256,
        minibatch_size=256,
        num_epochs=4,
        init_std=0.5,
        entropy_coeff=0.1,
        standardise_advantages="no",
        action_bounds="raw",
        observation_clip=None,
        **settings,
    ).debugging(seed=1)
    algo = config.env_runners(num_envs_per_env_runner=256).build_algo()
    for _ in range(iterations):
        algo.learn_from_one_batch()
    metrics = algo.coverage_tracker().metrics()
    algo.stop()
    return metrics


@pytest.mark.slow
def test_a_flow_finds_the_correlation_that_a_gaussian_cannot_have(small_ray):
    flow = metrics_after("nfp", 180, lr=2e-3, coupling_units=6, log_scale_bound=2.0)
    assert flow["correlation"] == pytest.approx(0.9, abs=0.05)
    assert flow["kl_to_optimum"] < 0.1
    gaussian = metrics_after("ppo", 100, lr=5e-3)
    assert gaussian["correlation"] == pytest.approx(0.0, abs=0.1)
    assert gaussian["kl_to_optimum"] > 0.75
