"""Settings of state marginal matching."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.skills import SKILL_SETTINGS
from expedition.algorithms.sac.config import SACConfig


class SMMConfig(SACConfig):
    """State marginal matching (Lee et al., arXiv:1906.05274).

    SAC's settings default to what the paper and its released code used; "released code" marks a
    value that the paper does not give.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "num_skills": Hyperparameter(
            1, "mixture components n; 1 is SMM, more is SM4", "table 3", low=1
        ),
        "reward_coeff": Hyperparameter(
            1.0, "weight of the environment's reward, log p*", "eq. 8", low=0
        ),
        "state_entropy_coeff": Hyperparameter(1.0, "weight of -log q_z(s)", "table 3", low=0),
        "skill_entropy_coeff": Hyperparameter(1.0, "weight of log d(z|s)", "table 3", low=0),
        "prior_coeff": Hyperparameter(1.0, "weight of -log p(z) = log n", "eq. 8", low=0),
        "discriminator_sign": Hyperparameter(
            "paper",
            "paper: + log d(z|s), skills are told apart; released: - log d(z|s)",
            "eq. 8; released code",
            choices=("paper", "released"),
        ),
        "density": Hyperparameter(
            "vae_elbo",
            "vae_elbo: importance-weighted bound on log q(s|z); vae_code: minus the squared "
            "reconstruction error of (s, z), as released; histogram: cell frequencies",
            choices=("vae_elbo", "vae_code", "histogram"),
        ),
        "density_lr": Hyperparameter(1e-3, "Adam step of the density model", "table 3", low=0),
        "density_hidden_sizes": Hyperparameter(
            (150, 150), "widths of encoder and decoder", "app. D.2"
        ),
        "density_code_dim": Hyperparameter(
            None,
            "latent dimensions of the VAE; none: 8 (vae_elbo), 128 (vae_code)",
            "released code for vae_code",
            low=1,
            words=(None,),
        ),
        "density_samples": Hyperparameter(2, "posterior samples of the bound (vae_elbo)", low=1),
        "density_noise": Hyperparameter(
            0.05, "decoder standard deviation in whitened units (vae_elbo)", low=1e-6
        ),
        "density_beta": Hyperparameter(
            0.5, "weight of the KL term (vae_code)", "released code", low=0
        ),
        "density_bins": Hyperparameter(24, "cells an axis (histogram)", low=1),
        "discriminator_lr": Hyperparameter(
            1e-3, "Adam step of the discriminator", "released code", low=0
        ),
        "discriminator_hidden_sizes": Hyperparameter(
            (300, 300), "widths of the discriminator", "app. D.2"
        ),
        "state_indices": Hyperparameter(
            None, "observation coordinates whose marginal is matched; none: all"
        ),
        "state_low": Hyperparameter(
            None, "smallest value of each of them, for whitening; none: the observation space's"
        ),
        "state_high": Hyperparameter(None, "largest value of each of them"),
        **SKILL_SETTINGS,
        "variant": Hyperparameter("v1", "form of SAC", "released code", choices=("v1", "v2")),
        "twin_q": Hyperparameter(False, "two Q-networks", "released code", choices=(True, False)),
        "alpha": Hyperparameter(
            1.0, "temperature; auto learns it", "released code", low=0, words=("auto",)
        ),
        "tau": Hyperparameter(
            0.001, "target smoothing a gradient step", "released code", low=0, high=1
        ),
        "hidden_sizes": Hyperparameter((300, 300), "hidden widths of every network", "app. D.2"),
        "policy_activation": Hyperparameter(
            "tanh",
            "hidden non-linearity of the policy",
            "app. D.2; released code: relu",
            choices=("relu", "tanh"),
        ),
        "policy_regulariser": Hyperparameter(
            1e-3, "weight of mean(mean^2) + mean(log_std^2)", "released code", low=0
        ),
        "train_batch_size": Hyperparameter(128, "transitions a gradient step", "app. D.2", low=1),
        "warmup_actions": Hyperparameter(
            "policy", "who acts during warm-up", "released code", choices=("uniform", "policy")
        ),
        "time_limit_is_terminal": Hyperparameter(
            True, "no bootstrap at the time limit", "released code", choices=(True, False)
        ),
        "num_historical_policies": Hyperparameter(
            10, "policies in the historical average; 0: off", "table 3", low=0
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.smm.algorithm import SMM

        super().__init__(algo_class or SMM)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.smm.module import SMMModule

        return RLModuleSpec(module_class=SMMModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.smm.learner import SMMLearner

        return SMMLearner
