"""RLlib's advantage connector, with standardisation as a choice and without its filler steps."""

from typing import Any

import numpy as np
import torch
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.postprocessing.value_predictions import compute_value_targets


class AdvantageEstimation(ConnectorV2):
    """Adds generalised advantage estimates and value targets to the batch.

    RLlib's own connector always standardises, over a batch that includes the artificial last step
    of each chunk. Standardised advantages have no units, which makes a temperature meaningless:
    on a bandit the policy collapses at any entropy coefficient below 1.

    Args:
        gamma: Discount.
        lambda_: λ.
        standardise: Subtract the mean and divide by the standard deviation of the real steps.
    """

    def __init__(self, *, gamma: float, lambda_: float, standardise: bool) -> None:
        super().__init__()
        self._gamma, self._lambda, self._standardise = gamma, lambda_, standardise

    def __call__(self, *, rl_module: Any, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Extend the default module's batch, whose columns are ``[B, ...]`` tensors."""
        columns = batch[DEFAULT_MODULE_ID]
        with torch.no_grad():
            values = rl_module[DEFAULT_MODULE_ID].compute_values(columns)
        device = values.device
        flags = (Columns.REWARDS, Columns.TERMINATEDS, Columns.TRUNCATEDS)
        rewards, terminateds, truncateds = (columns[name].cpu().numpy() for name in flags)
        targets = compute_value_targets(
            values=values.cpu().numpy(),
            rewards=rewards,
            terminateds=terminateds.astype(np.float32),
            truncateds=truncateds.astype(np.float32),
            gamma=self._gamma,
            lambda_=self._lambda,
        )
        targets = torch.from_numpy(targets).to(device)
        advantages = targets - values
        if self._standardise:
            real = advantages[columns[Columns.LOSS_MASK]]
            spread = real.std(correction=0).clamp(min=1e-4)
            advantages = (advantages - real.mean()) / spread
        columns[Postprocessing.VALUE_TARGETS] = targets
        columns[Postprocessing.ADVANTAGES] = advantages
        return batch
