"""RL²'s policy as an RLModule."""

import torch
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.rl2.policy import RecurrentPolicy


class RL2Module(OffPolicyModule):
    """Holds the recurrent policy."""

    def setup(self) -> None:
        """Build the policy from the config's settings."""
        super().setup()
        settings = self.model_config
        self.policy = RecurrentPolicy(
            self.obs_dim, self.action_dim, settings["hidden_size"], settings["init_std"]
        )

    def get_non_inference_attributes(self) -> list[str]:
        """Acting needs the whole policy."""
        return []

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Not possible: an action depends on the trial so far, not on an observation."""
        raise NotImplementedError(
            "RL² acts within trials, which carry rewards and a hidden state from step to step; "
            "measure it with algo.evaluate()"
        )
