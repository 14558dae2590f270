"""The Gaussian over policies, which acts by its mean."""

import torch
from torch import Tensor

from expedition.algorithms.cem.population import PerceptronLayout
from expedition.algorithms.core.module import OffPolicyModule


class CEMModule(OffPolicyModule):
    """N(mean, diag std²) over the P parameters of a deterministic perceptron.

    Both are buffers: no gradient ever reaches them.
    """

    mean: Tensor
    std: Tensor

    def setup(self) -> None:
        """Lay out the perceptron; the mean starts at zero."""
        super().setup()
        settings = self.model_config
        self._is_relu = settings["activation"] == "relu"
        self.layout = PerceptronLayout((self.obs_dim, *settings["hidden_sizes"], self.action_dim))
        self.register_buffer("mean", torch.zeros(self.layout.size))
        std = torch.full((self.layout.size,), float(settings["parameter_std"]))
        self.register_buffer("std", std)

    def get_non_inference_attributes(self) -> list[str]:
        """The algorithm draws its generations from what an env runner has."""
        return []

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Actions of the mean policy, clipped to (-1, 1), whether exploring or not."""
        weights = self.layout.unflattened(self.mean)
        x = obs @ weights["weight_0"] + weights["bias_0"]
        for layer in range(1, self.layout.num_layers):
            x = x.relu() if self._is_relu else x.tanh()
            x = x @ weights[f"weight_{layer}"] + weights[f"bias_{layer}"]
        return x.clamp(-1, 1)
