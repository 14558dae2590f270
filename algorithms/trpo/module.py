"""A Gaussian policy for the environment, or one for each of many tasks."""

from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.on_policy_module import GaussianModule


class TasksModule(GaussianModule):
    """The policies of M tasks, or of one environment with M = 1.

    Their parameters have a leading axis M, also for one.
    """

    def setup(self) -> None:
        """Build the policies."""
        self.tasks = max(1, self.model_config["tasks"])
        super().setup()

    def distribution(self, obs: Tensor, context: Tensor) -> Gaussian:
        """The first policy at ``obs`` ``[n, obs]``; there is nothing else to evaluate."""
        own = {name: parameter[0] for name, parameter in self.policy.named_parameters()}
        return Gaussian(self.policy.mean(own, obs), self.policy.floored_log_std(own))
