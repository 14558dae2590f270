import numpy as np
import pytest
import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian, GaussianPolicy
from expedition.algorithms.core.trust_region import (
    FisherProduct,
    TrustRegion,
    conjugate_gradient,
    flattened,
    trust_region_step,
    unflattened,
)


class Quadratic:
    """Independent problems: loss g'd + d'Cd / 2 and divergence d'Hd / 2 around ``start``."""

    def __init__(self, gradient: Tensor, hessian: Tensor, bend: float = 0.0) -> None:
        self.gradient, self.hessian, self.bend = gradient, hessian, bend
        self.start = torch.zeros_like(gradient)
        self.loss = torch.zeros(gradient.shape[:-1], dtype=torch.float64)

    def fisher_product(self, vector: Tensor) -> Tensor:
        return (self.hessian @ vector.unsqueeze(-1)).squeeze(-1)

    def evaluate(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        loss = (self.gradient * flat).sum(-1) + self.bend * flat.square().sum(-1)
        return loss, 0.5 * (flat * self.fisher_product(flat)).sum(-1)


def positive_definite(*lead: int, size: int = 6) -> Tensor:
    torch.manual_seed(3)
    root = torch.randn(*lead, size, size, dtype=torch.float64)
    return root @ root.mT + 0.1 * torch.eye(size)


def test_conjugate_gradient_solves_every_problem_of_a_batch():
    matrix, target = positive_definite(4), torch.randn(4, 6, dtype=torch.float64)
    solved = conjugate_gradient(
        lambda v: (matrix @ v.unsqueeze(-1)).squeeze(-1), target, 30, tolerance=1e-24
    )
    torch.testing.assert_close(solved, torch.linalg.solve(matrix, target), rtol=1e-8, atol=1e-10)


def test_conjugate_gradient_of_a_batch_equals_the_problems_one_by_one():
    matrix, target = positive_definite(3), torch.randn(3, 6, dtype=torch.float64)
    target[1] *= 1e-7  # done at once, while the others go on
    together = conjugate_gradient(lambda v: (matrix @ v.unsqueeze(-1)).squeeze(-1), target, 4)
    for index in range(3):
        alone = conjugate_gradient(lambda v, i=index: matrix[i] @ v, target[index], 4)
        torch.testing.assert_close(together[index], alone)
    assert not together[1].any()


def test_conjugate_gradient_stops_where_the_curvature_is_not_positive():
    matrix = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    solved = conjugate_gradient(lambda v: matrix @ v, torch.tensor([0.0, 1.0]).double(), 10)
    assert not solved.any()


def test_the_step_of_a_linear_loss_meets_the_bound_exactly():
    hessian, gradient = positive_definite(), torch.randn(6, dtype=torch.float64)
    region = TrustRegion(max_kl=0.02, damping=0.0, cg_iterations=30)
    step = trust_region_step(Quadratic(gradient, hessian), torch.zeros(6).double(), region)
    natural = torch.linalg.solve(hessian, gradient)
    expected = -natural * torch.sqrt(0.04 / (gradient @ natural))
    # The line search may need one backtrack for rounding at the very edge.
    factor = 0.8 ** step.backtracks.item()
    torch.testing.assert_close(step.parameters, factor * expected, rtol=1e-5, atol=1e-8)
    assert step.accepted
    assert step.kl <= 0.02


def test_the_line_search_shortens_until_the_loss_falls_and_keeps_others_as_they_are():
    hessian = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    gradient = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    problem = Quadratic(gradient, hessian, bend=0.0)
    bends = torch.tensor([7.0, 1e9]).double()
    evaluate = problem.evaluate
    problem.evaluate = lambda flat: (
        evaluate(flat)[0] + bends * flat.square().sum(-1),
        evaluate(flat)[1],
    )
    start = torch.zeros(2, 2).double()
    step = trust_region_step(problem, start, TrustRegion(max_kl=0.02, damping=0.0))
    # The full step has length 0.2; -l + 7 l² < 0 needs l < 1/7: 0.2 * 0.8² = 0.128.
    assert step.backtracks[0] == 2
    assert step.accepted.tolist() == [True, False]
    assert step.parameters[0, 0].item() == pytest.approx(-0.128, rel=1e-4)
    assert not step.parameters[1].any()
    assert step.kl[1] == 0


def test_a_loss_that_is_not_a_number_is_never_accepted():
    problem = Quadratic(torch.ones(2).double(), torch.eye(2).double())
    problem.evaluate = lambda flat: (torch.tensor(float("nan")), torch.tensor(0.0))
    step = trust_region_step(problem, torch.zeros(2).double(), TrustRegion())
    assert not step.accepted
    assert not step.parameters.any()


@pytest.mark.parametrize("tasks", [None, 3])
def test_fisher_products_equal_an_explicit_hessian_of_the_divergence(tasks: int | None):
    torch.manual_seed(0)
    policy = GaussianPolicy(3, 2, (4,), tasks=tasks, activation="tanh").double()
    shape = () if tasks is None else (tasks,)
    obs = torch.randn(*shape, 5, 3, dtype=torch.float64)
    parameters = dict(policy.named_parameters())
    names, values = list(parameters), list(parameters.values())
    batch = len(shape)

    def gaussian(tensors: list[Tensor]) -> Gaussian:
        own = dict(zip(names, tensors, strict=True))
        return Gaussian(policy.mean(own, obs), policy.floored_log_std(own))

    now = gaussian(values)
    old = now.detached()
    information = [(-2 * old.log_std).exp() / 5, torch.full_like(old.log_std, 2.0)]
    product = FisherProduct(now, information, values, batch)
    start = flattened(values, batch)

    def divergence(flat: Tensor) -> Tensor:
        return old.kl_to(gaussian(unflattened(flat, values, batch))).mean(-1).sum()

    hessian = torch.autograd.functional.hessian(divergence, start)
    vector = torch.randn_like(start)
    torch.testing.assert_close(
        product(vector), torch.tensordot(hessian, vector, start.dim()), rtol=1e-8, atol=1e-10
    )


def test_flat_vectors_come_apart_as_they_were_put_together():
    tensors = [torch.randn(2, 3, 4), torch.randn(2, 5)]
    flat = flattened(tensors, 1)
    assert flat.shape == (2, 17)
    assert flat.dtype == torch.float64
    for tensor, back in zip(tensors, unflattened(flat, tensors, 1), strict=True):
        torch.testing.assert_close(back, tensor)
    np.testing.assert_array_equal(flattened(tensors).numpy()[:24], tensors[0].numpy().reshape(-1))
