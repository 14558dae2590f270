import pytest
import torch

from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.surrogate import Samples, SurrogateObjective


def objective(shift: float, **settings: float) -> SurrogateObjective:
    """Of a policy whose mean is ``shift`` deviations from the one that acted."""
    shares = torch.full((50,), 1 / 50)
    old = Gaussian(torch.zeros(50, 1), torch.zeros(1))
    samples = Samples(torch.ones(50, 1), torch.ones(50), old, shares, shares)
    parameters = {"mean": torch.full((1,), shift), "log_std": torch.zeros(1)}
    return SurrogateObjective(
        parameters,
        lambda own: Gaussian(own["mean"].expand(50, 1), own["log_std"]),
        samples,
        **settings,
    )


def test_a_policy_that_differs_by_rounding_is_the_one_that_acted():
    assert objective(1e-5).gradient.tolist() == pytest.approx([-1, 0], abs=1e-3)
    assert objective(1e-2, rounding=1e-4).gradient.tolist() == pytest.approx([-1, 0], abs=0.03)


def test_a_policy_that_did_not_act_is_refused():
    with pytest.raises(ValueError, match="2e-08 nats from the one that acted"):
        objective(2e-4)
    with pytest.raises(ValueError, match=r"0\.0002 nats from the one that acted"):
        objective(2e-2, rounding=1e-4)
