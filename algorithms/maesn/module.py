"""Meta-parameters of MAESN: the policy, every training task's latents, and step sizes."""

import torch
from torch import Tensor, nn

from expedition.algorithms.core.on_policy_module import GaussianModule
from expedition.algorithms.maesn.latents import Latents, Steps


class MAESNModule(GaussianModule):
    """A policy conditioned on an episode's latent z, beside what tasks know of z.

    As an RLModule it explores: z is drawn from the prior N(0, I) for every episode. What adapts to
    a task is the latents alone.
    """

    def setup(self) -> None:
        """Build the policy; draw the means of the tasks' latents from the prior."""
        settings = self.model_config
        self.latent_dim = settings["latent_dim"]
        super().setup()
        shape = (settings["train_tasks"], self.latent_dim)
        self.latent_means = nn.Parameter(torch.randn(shape))
        self.latent_log_stds = nn.Parameter(torch.zeros(shape))
        learns_steps = settings["step_sizes"] != "fixed"
        rows = shape[0] if settings["step_sizes"] == "per_parameter" else 1
        first = torch.full((rows, self.latent_dim), float(settings["inner_step"]))
        self.mean_steps = nn.Parameter(first, requires_grad=learns_steps)
        self.log_std_steps = nn.Parameter(first.clone(), requires_grad=learns_steps)
        self.policy_steps = nn.ParameterDict()
        if settings["adapt_policy"]:
            for name, parameter in self.policy.named_parameters():
                self.policy_steps[name] = torch.full_like(parameter, settings["policy_step"])
        self._is_fixed = False

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["latent_means", "latent_log_stds", "mean_steps", "log_std_steps", "policy_steps"]

    def start_evaluation(self, skill: int | None = None) -> None:
        """Draw z from the prior; with a ``skill``, whichever, fix it at the prior's mean."""
        self._is_fixed = skill is not None

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """Latents ``[episodes, d]`` of episodes that explore."""
        drawn = torch.randn(episodes, self.latent_dim, generator=generator)
        return torch.zeros_like(drawn) if self._is_fixed else drawn

    def latents(self) -> Latents:
        """All tasks' latents in float64."""
        return Latents(self.latent_means.double(), self.latent_log_stds.double())

    def steps(self) -> Steps:
        """Step sizes ``[1, d]`` or ``[tasks, d]`` in float64."""
        return Steps(self.mean_steps.double(), self.log_std_steps.double())
