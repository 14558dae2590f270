"""State marginal matching as an RLlib algorithm."""

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.smm.config import SMMConfig


class SMM(OffPolicy):
    """SMM, and SM4 with ``num_skills > 1`` (Lee et al., algorithms 1 and 2).

    The two players of the game answer each other a gradient step at a time: the density model and
    the discriminator on replayed states, which are those of all policies so far, and the policy
    on their reward. The answer is the historical average of the policies; see
    ``num_historical_policies``.
    """

    @classmethod
    def get_default_config(cls) -> SMMConfig:
        """Default settings."""
        return SMMConfig()
