"""Configuration common to the on-policy methods."""

from collections.abc import Mapping
from typing import ClassVar

from expedition.algorithms.core.config import TORCH_THREADS, DeclaredConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.trust_region import TrustRegion

TRUST_REGION_SETTINGS: Mapping[str, Hyperparameter] = {
    "max_kl": Hyperparameter(0.01, "bound on the mean KL of a step, nats", low=0),
    "cg_iterations": Hyperparameter(10, "iterations of conjugate gradient", low=1),
    "cg_damping": Hyperparameter(1e-5, "multiple of the identity added to the Hessian", low=0),
    "line_search_steps": Hyperparameter(15, "step lengths tried", low=1),
    "line_search_ratio": Hyperparameter(0.8, "each of the last", low=0.01, high=0.99),
}


class OnPolicyConfig(DeclaredConfig):
    """Policy, advantages and environments of every on-policy method."""

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "gamma": Hyperparameter(0.99, "discount", low=0, high=1),
        "gae_lambda": Hyperparameter(1.0, "λ of the advantage estimates", low=0, high=1),
        "hidden_sizes": Hyperparameter((100, 100), "hidden widths of the policy"),
        "activation": Hyperparameter(
            "relu", "hidden non-linearity of the policy", choices=("relu", "tanh")
        ),
        "init_std": Hyperparameter(1.0, "standard deviation of the actions at first", low=1e-6),
        "torch_threads": TORCH_THREADS,
    }

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if self.num_learners > 1:
            raise ValueError(
                f"num_learners={self.num_learners}: a trust-region step is one computation; use 0 "
                "(in the trial's process) or 1 (an actor of its own)"
            )
        if self.num_env_runners:
            raise ValueError(
                f"num_env_runners={self.num_env_runners}: episodes are sampled by the method's own "
                "samplers; leave it at 0"
            )

    @property
    def trust_region(self) -> TrustRegion:
        """Settings of a step, for methods that have them."""
        return TrustRegion(
            max_kl=self.max_kl,
            cg_iterations=self.cg_iterations,
            damping=self.cg_damping,
            backtracks=self.line_search_steps,
            backtrack_ratio=self.line_search_ratio,
        )
