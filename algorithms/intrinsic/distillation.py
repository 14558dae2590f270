"""Random network distillation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.intrinsic.reward import IntrinsicOutput, IntrinsicReward
from expedition.algorithms.intrinsic.running_moments import RunningMoments

_CLIP = 5.0  # standard deviations; Burda et al. 2019, sec. 2.4


class RNDReward(IntrinsicReward):
    """Bonus |f(s') - f̂(s')|², the error of imitating a fixed random network, over its scale.

    Inputs are normalised by the running moments of all states met and clipped; the bonus is
    divided by the running standard deviation of itself, so that it keeps its size as errors fall.
    Source: Burda et al. 2019, sec. 2.2 and 2.4.

    Args:
        obs_dim: Width of the observation.
        hidden: Widths of both networks.
        feature_dim: Width of their outputs.
    """

    def __init__(self, obs_dim: int, hidden: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        self.target = MLP((obs_dim, *hidden, feature_dim)).requires_grad_(False)
        self.predictor = MLP((obs_dim, *hidden, feature_dim))
        self.inputs = RunningMoments(obs_dim)
        self.errors = RunningMoments(1)

    def observe(self, batch: Mapping[str, Tensor]) -> None:
        """Take new states into the moments of the inputs."""
        self.inputs.update(batch["next_obs"])

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """Scaled bonus; the loss is the mean error."""
        x = self.inputs.normalise(batch["next_obs"]).clamp(-_CLIP, _CLIP)
        error = (self.predictor(x) - self.target(x)).square().mean(1)
        if torch.is_grad_enabled():  # a reading of the bonus does not move its scale
            self.errors.update(error.detach().unsqueeze(1))
        return IntrinsicOutput(error.detach() / self.errors.std(), error.mean())
