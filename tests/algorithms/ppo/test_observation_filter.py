"""The filter's moments are those of everything it was shown."""

import torch

from expedition.algorithms.ppo.observation_filter import ObservationFilter


def test_moments_are_those_of_all_batches_together():
    generator = torch.Generator().manual_seed(0)
    obs = 100 + 3 * torch.randn(1000, 2, generator=generator)
    filtering = ObservationFilter(2, clip=5.0)
    for part in obs.split([1, 499, 300, 200]):
        filtering.update(part)
    torch.testing.assert_close(filtering.mean, obs.mean(0))
    torch.testing.assert_close(filtering.variance, obs.var(0, correction=0), rtol=1e-4, atol=0)
    assert filtering.count == 1000


def test_a_coordinate_that_never_moved_is_only_centred():
    filtering = ObservationFilter(1, clip=5.0)
    filtering.update(torch.full((10, 1), 7.0))
    assert filtering(torch.tensor([[8.5]])).item() == 1.5


def test_without_a_clip_observations_stay_as_they_are():
    filtering = ObservationFilter(1, clip=None)
    filtering.update(torch.tensor([[7.0], [9.0]]))
    assert filtering(torch.tensor([[100.0]])).item() == 100.0
