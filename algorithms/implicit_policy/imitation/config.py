"""Settings of imitation, by likelihood (``clone``) and by a discriminator (``gan_imitation``)."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import TORCH_THREADS, DeclaredConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.flow import FLOW_SETTINGS


class ImitationConfig(DeclaredConfig):
    """Data and comparison of the methods that imitate.

    Nothing is collected: **a budget of environment steps is one of gradient steps.**
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "demonstrations": Hyperparameter(
            None,
            "what to imitate: experts (imitation_1d, swimmer_forward, swimmer_backward), files "
            "FILE.parquet and Minari datasets minari:ID, joined by +",
        ),
        "demonstration_episodes": Hyperparameter(
            None,
            "episodes of each of them; none: all of a dataset, 100 of an expert",
            low=1,
            words=(None,),
        ),
        "demonstration_seed": Hyperparameter(0, "of the experts", low=0),
        "train_batch_size": Hyperparameter(256, "pairs a gradient step", low=1),
        "iteration_updates": Hyperparameter(500, "gradient steps between two reports", low=1),
        "hidden_sizes": Hyperparameter((64, 64), "hidden widths of the policy", "app. C"),
        "compare_axis": Hyperparameter(
            0,
            "coordinate of an observation along which actions are compared with the expert's",
            low=0,
        ),
        "compare_at": Hyperparameter(
            (), "where along it; none: in all states together. Fig. 5: -8, -4, 0, 4, 8"
        ),
        "compare_half_width": Hyperparameter(0.5, "of the parts around these places", low=0),
        "compare_bins": Hyperparameter(20, "bins of a histogram of actions", low=2),
        "torch_threads": TORCH_THREADS,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class)
        self.evaluation_duration = 100

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if not self.demonstrations:
            raise ValueError(
                f"demonstrations={self.demonstrations!r}: say what to imitate, such as "
                "'imitation_1d' or 'FILE.parquet'"
            )
        if self.num_learners > 1 or self.num_env_runners:
            raise ValueError(
                f"num_learners={self.num_learners}, num_env_runners={self.num_env_runners}: one "
                "learner holds the demonstrations and nothing is collected; use at most 1 and 0"
            )


class CloneConfig(ImitationConfig):
    """Cloning by maximum likelihood (Tang & Agrawal 2018, arXiv:1806.06798, sec. 5.4).

    Example:
        >>> from expedition.algorithms.implicit_policy.imitation import CloneConfig
        >>> config = CloneConfig().environment("expedition/StochasticSwimmer-v0")
        >>> config = config.training(demonstrations="swimmer_forward+swimmer_backward")
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "policy": Hyperparameter(
            "flow",
            "whose density is fitted; for actions of one coordinate a flow is a Gaussian",
            choices=("flow", "gaussian"),
        ),
        **FLOW_SETTINGS,
        "activation": Hyperparameter(
            "relu", "hidden non-linearity of the policy", choices=("relu", "tanh")
        ),
        "layer_norm": Hyperparameter(
            True, "normalise its layers", "released NFP code", choices=(True, False)
        ),
        "init_std": Hyperparameter(1.0, "σ₀, standard deviation at first", low=1e-6),
        "lr": Hyperparameter(3e-4, "Adam step", low=0),
        "grad_norm": Hyperparameter(1.0, "largest norm of a gradient", low=0, words=(None,)),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.implicit_policy.imitation.algorithm import Clone

        super().__init__(algo_class or Clone)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.implicit_policy.imitation.module import CloneModule

        return RLModuleSpec(module_class=CloneModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.implicit_policy.imitation.clone_learner import CloneLearner

        return CloneLearner


class GANImitationConfig(ImitationConfig):
    """Imitation by a discriminator (Tang & Agrawal 2018, arXiv:1806.06798, sec. 5.4).

    The paper says no more than that; loss, steps and stabilisers are ours.

    Example:
        >>> from expedition.algorithms.implicit_policy.imitation import GANImitationConfig
        >>> config = GANImitationConfig().environment("expedition/Imitation1D-v0")
        >>> config = config.training(demonstrations="imitation_1d", compare_at=(-8, -4, 0, 4, 8))
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "policy": Hyperparameter(
            "noisy", "NBP's policy without a density, or a Gaussian", choices=("noisy", "gaussian")
        ),
        "rho": Hyperparameter(
            -4.0,
            "every rho at first (noisy); parameters have the standard deviation softplus(rho)",
            "app. C.2",
        ),
        "dropout": Hyperparameter(
            0.5,
            "probability that a feature is dropped before the last layer (noisy)",
            low=0,
            high=0.99,
        ),
        "dropout_rescale": Hyperparameter(
            False,
            "divide kept features by the probability of keeping (noisy)",
            "sec. 4.2",
            choices=(True, False),
        ),
        "latent_dim": Hyperparameter(
            0, "standard normal numbers appended to the policy's input (noisy)", low=0
        ),
        "init_std": Hyperparameter(0.5, "standard deviation at first (gaussian)", low=1e-6),
        "discriminator_hidden_sizes": Hyperparameter((64, 64), "hidden widths"),
        "policy_lr": Hyperparameter(3e-4, "Adam step of the policy", low=0),
        "discriminator_lr": Hyperparameter(3e-4, "Adam step of the discriminator", low=0),
        "adam_beta1": Hyperparameter(0.5, "β₁ of both", low=0, high=0.999),
        "expert_label": Hyperparameter(
            0.9, "what the discriminator is to say of the expert's actions", low=0.5, high=1
        ),
        "action_noise": Hyperparameter(
            0.05, "standard deviation of noise on all actions it sees, at first", low=0
        ),
        "action_noise_updates": Hyperparameter(
            5000, "gradient steps in which that noise falls to 0, linearly", low=1
        ),
        "averaging_rate": Hyperparameter(
            0.002, "share of the new parameters in the running mean that acts", low=1e-6, high=1
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.implicit_policy.imitation.algorithm import GANImitation

        super().__init__(algo_class or GANImitation)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.implicit_policy.imitation.module import GANImitationModule

        return RLModuleSpec(module_class=GANImitationModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.implicit_policy.imitation.gan_learner import GANImitationLearner

        return GANImitationLearner
