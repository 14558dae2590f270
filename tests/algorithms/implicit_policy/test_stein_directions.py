"""Stein directions against a loop over particles with autograd's kernel gradients."""

import math

import pytest
import torch
from torch import Tensor

from expedition.algorithms.implicit_policy import svgd


def slow_direction(fixed: Tensor, slopes: Tensor, moved: Tensor) -> Tensor:
    distances = sorted(((a - b) ** 2).sum().item() for a in fixed for b in moved)
    h = max(1e-3, distances[len(distances) // 2] / math.log(len(fixed)))
    directions = []
    for b in moved:
        total = torch.zeros_like(b)
        for a, slope in zip(fixed, slopes, strict=True):
            a = a.clone().requires_grad_()
            kernel = torch.exp(-((a - b) ** 2).sum() / h)
            (kernel_slope,) = torch.autograd.grad(kernel, a)
            total = total + kernel.detach() * slope + kernel_slope
        directions.append(total / len(fixed))
    return torch.stack(directions)


@pytest.mark.parametrize(("fixed_count", "moved_count"), [(8, 8), (5, 3)])
def test_directions_equal_the_loop(fixed_count: int, moved_count: int):
    generator = torch.Generator().manual_seed(0)
    fixed = torch.randn(4, fixed_count, 2, generator=generator)
    slopes = torch.randn(4, fixed_count, 2, generator=generator)
    moved = torch.randn(4, moved_count, 2, generator=generator)
    found = svgd.direction(fixed, slopes, moved)
    for ours, *theirs in zip(found, fixed, slopes, moved, strict=True):
        torch.testing.assert_close(ours, slow_direction(*theirs), rtol=1e-4, atol=1e-6)


def test_two_particles_by_hand():
    # d² = 1 for the only pairs; h = 1 / log 2, so kappa = exp(-log 2) = 1/2.
    fixed = torch.tensor([[[0.0], [2.0]]])
    direction = svgd.direction(fixed, torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[1.0]]]))
    # Attraction (1 + 3) / 4; the repulsions of the two sides cancel.
    assert direction.item() == pytest.approx(1.0)


def test_coinciding_particles_have_the_smallest_bandwidth():
    assert svgd.bandwidth(torch.zeros(2, 4, 4)).tolist() == [[[pytest.approx(1e-3)]]] * 2


def test_particles_moved_along_the_directions_come_to_follow_a_gaussian():
    particles = torch.randn(1, 100, 1, generator=torch.Generator().manual_seed(0)) * 0.1 + 3
    for _step in range(500):
        slopes = -(particles - 1.0) / 0.25  # log density of N(1, 0.5²)
        particles = particles + 0.1 * svgd.direction(particles, slopes, particles)
    assert particles.mean().item() == pytest.approx(1.0, abs=0.02)
    assert particles.std().item() == pytest.approx(0.5, abs=0.05)
