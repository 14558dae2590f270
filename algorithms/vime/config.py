"""Settings of variational information maximising exploration."""

from collections.abc import Mapping
from typing import ClassVar

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.trpo.config import TRPOConfig
from expedition.algorithms.vime.information_reward import InformationSettings

_MODEL = InformationSettings()


class VIMEConfig(TRPOConfig):
    """Variational information maximising exploration (Houthooft et al. 2016, arXiv:1605.09674).

    TRPO whose reward is r + η I, I what a transition teaches a Bayesian model of the dynamics. The
    defaults are those of the released code and of its script for locomotion.

    Example:
        >>> from expedition.algorithms.vime import VIMEConfig
        >>> config = VIMEConfig().environment("MountainCarContinuous-v0")
        >>> config = config.training(batch_steps=5000, intrinsic_coeff=1e-2)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "policy": Hyperparameter("gaussian", "a Gaussian", choices=("gaussian",)),
        "intrinsic_coeff": Hyperparameter(
            1e-4, "η, weight of the bonus beside the reward", "released code", low=0
        ),
        "baseline_reward": Hyperparameter(
            "extrinsic",
            "returns the baseline is fitted to: of the environment's reward alone, or with the "
            "bonus that the advantages contain",
            "extrinsic: released code",
            choices=("extrinsic", "augmented"),
        ),
        "model_hidden_sizes": Hyperparameter(
            _MODEL.hidden_sizes, "hidden widths of the dynamics model", "released code"
        ),
        "model_prior_std": Hyperparameter(
            _MODEL.prior_std, "standard deviation of a weight a priori", "released code", low=1e-6
        ),
        "model_likelihood_std": Hyperparameter(
            _MODEL.likelihood_std,
            "standard deviation of a standardised observation around its prediction",
            "released code",
            low=1e-6,
        ),
        "model_samples": Hyperparameter(
            _MODEL.num_samples, "sampled networks a loss is averaged over", "released code", low=1
        ),
        "model_lr": Hyperparameter(_MODEL.lr, "Adam's step size", "released script", low=0),
        "model_updates": Hyperparameter(
            _MODEL.updates, "gradient steps of the model an iteration", "released code", low=0
        ),
        "model_batch_size": Hyperparameter(
            _MODEL.batch_size, "transitions a gradient step", "released code", low=1
        ),
        "divergence_coeff": Hyperparameter(
            _MODEL.divergence_coeff,
            "weight of KL(posterior, prior) beside a minibatch's log-likelihood",
            "released code: 1/5",
            low=0,
        ),
        "pool_size": Hyperparameter(
            _MODEL.pool_size, "transitions the model learns from", "released code", low=1
        ),
        "min_pool_size": Hyperparameter(
            _MODEL.min_pool_size, "transitions before it learns", "released code", low=2
        ),
        "information_step": Hyperparameter(
            _MODEL.step, "step whose information is the bonus (λ)", "released code", low=0
        ),
        "max_information": Hyperparameter(
            _MODEL.max_gain, "where the information is clipped, nats", "released code", low=0
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.vime.algorithm import VIME

        super().__init__(algo_class or VIME)

    @property
    def information_settings(self) -> InformationSettings:
        """Settings of the model and of its bonus."""
        return InformationSettings(
            hidden_sizes=tuple(self.model_hidden_sizes),
            prior_std=self.model_prior_std,
            likelihood_std=self.model_likelihood_std,
            num_samples=self.model_samples,
            lr=self.model_lr,
            updates=self.model_updates,
            batch_size=self.model_batch_size,
            divergence_coeff=self.divergence_coeff,
            pool_size=self.pool_size,
            min_pool_size=self.min_pool_size,
            step=self.information_step,
            max_gain=self.max_information,
        )

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.vime.learner import VIMELearner

        return VIMELearner
