"""Which density model a config asks for."""

from collections.abc import Mapping
from typing import Any

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.smm.density import (
    DensityModel,
    ElboDensity,
    HistogramDensity,
    ReconstructionDensity,
)

_CODE_DIM = {"vae_elbo": 8, "vae_code": 128}

DENSITY_SETTINGS: Mapping[str, Hyperparameter] = {
    "density": Hyperparameter(
        "vae_elbo",
        "vae_elbo: importance-weighted bound on log q(s|z); vae_code: minus the squared "
        "reconstruction error of (s, z), as released; histogram: cell frequencies",
        choices=("vae_elbo", "vae_code", "histogram"),
    ),
    "density_lr": Hyperparameter(
        1e-3,
        "Adam step of the density model",
        "released code; table 3: 1e-2 in Manipulation",
        low=0,
    ),
    "density_hidden_sizes": Hyperparameter((150, 150), "widths of encoder and decoder", "app. D.2"),
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
    "density_beta": Hyperparameter(0.5, "weight of the KL term (vae_code)", "released code", low=0),
    "density_bins": Hyperparameter(24, "cells an axis (histogram)", low=1),
}


def build_density(settings: Mapping[str, Any], state_dim: int, num_skills: int) -> DensityModel:
    """Make the density model that ``settings["density"]`` names.

    Args:
        settings: The config's hyperparameters.
        state_dim: Coordinates of a whitened state.
        num_skills: Width of the one-hot skill, 0 for none.
    """
    hidden = settings["density_hidden_sizes"]
    if settings["density"] == "histogram":
        return HistogramDensity(state_dim, num_skills, settings["density_bins"])
    code_dim: int = settings["density_code_dim"] or _CODE_DIM[settings["density"]]
    if settings["density"] == "vae_code":
        beta = settings["density_beta"]
        return ReconstructionDensity(state_dim, num_skills, hidden, code_dim, beta)
    samples, noise = settings["density_samples"], settings["density_noise"]
    return ElboDensity(state_dim, num_skills, hidden, code_dim, samples, noise)
