"""The discriminator's part of the split layout."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.smm.mixture import MixtureModule
from expedition.algorithms.smm.state_pool import StatePool


class MixtureLearner(OffPolicyLearner):
    """Learns d(z|s) by maximum likelihood on a pool of states balanced over skills."""

    def build(self) -> None:
        """Build module and optimiser; the pool of states takes the replay's place."""
        super().build()
        self.mixture: MixtureModule = self.module["default_policy"].unwrapped()
        skills, size = self.mixture.num_skills, self.config.discriminator_pool
        seed = (self.config.seed or 0) + 2
        self.pool = StatePool(skills, size, self.mixture.whiten.dim, seed)
        self.replay = self.pool  # type: ignore[assignment]  # same state_dict

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam for the discriminator."""
        parameters = list(self.module[module_id].unwrapped().discriminator.parameters())
        self.optimizer = torch.optim.Adam(parameters, lr=config.discriminator_lr, fused=True)
        self.register_optimizer(module_id=module_id, optimizer=self.optimizer, params=parameters)

    def take_in(self, skill: int, obs: np.ndarray) -> None:
        """Show the pool newly visited observations ``[N, obs]`` of one skill, in order."""
        states = self.mixture.whiten(torch.as_tensor(obs, dtype=torch.float32, device=self._device))
        self.pool.add(skill, states.cpu().numpy())

    def learn(self, num_updates: int) -> None:
        """Make gradient steps on d, once every skill has been seen."""
        if self.mixture.num_skills == 1 or not len(self.pool):
            return
        for _update in range(num_updates):
            states, skills = self.pool.sample(self.config.train_batch_size)
            batch = {"states": states.to(self._device), "skills": skills.to(self._device)}
            self._means.add(self._step(batch))
            self.updates += 1

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the cross-entropy, which estimates H[z|s]."""
        log_d = self.mixture.log_discriminator(batch["states"])
        loss = functional.nll_loss(log_d, batch["skills"])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"discriminator_loss": loss}

    def discriminator_state(self) -> dict[str, np.ndarray]:
        """Weights of d, to be sent to the components."""
        state = self.mixture.discriminator.state_dict()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def load_policies(self, policies: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Copy the components' policies into the mixture."""
        self.mixture.load_policies(policies)
