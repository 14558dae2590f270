"""The updates of proximal policy optimisation and of the advantage actor-critic."""

import math
from collections.abc import Collection, Iterator
from typing import Any

import torch
from ray.rllib.algorithms.ppo.ppo import LEARNER_RESULTS_KL_KEY
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.connectors.learner import GeneralAdvantageEstimation
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.typing import ResultDict, StateDict
from torch import Tensor, nn

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.algorithms.ppo.advantages import AdvantageEstimation
from expedition.algorithms.ppo.flat_parameters import FlatParameters

COMPONENT_SCHEDULE = "schedule"
Rows = dict[str, Tensor]

_FEATURES = "features"  # filtered observations
_LARGEST_LOG_RATIO = 20.0


class PPOLearner(PPOTorchLearner):
    """RLlib's PPO learner for policies that know the density of an action but no parameters of it.

    RLlib's connectors make the batch; its schedules and KL coefficient are in force. Its loss is
    replaced, as it rebuilds the old policy from parameters of a distribution, which a flow does not
    have. Its loop over minibatches is replaced too: rows are drawn by a generator that is part of
    the checkpoint, and statistics are taken once an iteration instead of at every gradient step.
    """

    def build(self) -> None:
        """Build module and optimiser (RLlib), and put our advantages in the place of RLlib's."""
        super().build()
        # RLlib asks PyTorch for deterministic algorithms, which by default also fills every fresh
        # tensor with NaN; that costs time and does not change any result.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        pipeline = self._learner_connector
        pipeline.remove(GeneralAdvantageEstimation)
        pipeline.append(
            AdvantageEstimation(
                gamma=self.config.gamma,
                lambda_=self.config.lambda_,
                standardise=self.config.standardise_advantages == "batch",
            )
        )
        self.noise = torch.Generator(self._device).manual_seed((self.config.seed or 0) + 1)
        self.updates = 0
        self._progress = 0.0  # share of decay_steps that is over
        self._statistics: dict[str, float] = {}

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam over policy and values."""
        self.flat = FlatParameters(list(self.module[module_id].parameters()))
        self.optimizer = self.make_optimizer([self.flat.values])
        self.register_optimizer(
            module_id=module_id,
            optimizer=self.optimizer,
            params=[self.flat.values],
            lr_or_lr_schedule=config.lr,
        )

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Its step size is RLlib's to set."""
        return torch.optim.Adam(parameters, eps=self.config.adam_epsilon, fused=True)

    def update(
        self,
        *,
        training_data: TrainingData | None = None,
        episodes: list[SingleAgentEpisode] | None = None,
        timesteps: dict[str, Any] | None = None,
        **_: Any,
    ) -> ResultDict:
        """Learn from chunks of episodes.

        Args:
            training_data: The chunks, as RLlib's learner group passes them.
            episodes: The same, without a learner group.
            timesteps: Environment steps so far, for the schedules.

        Returns:
            Empty: statistics are read with ``pop_statistics``.

        Raises:
            NonFiniteLossError: If a statistic of the updated policy is NaN or infinite.
        """
        data = training_data or TrainingData(episodes=episodes)
        data.solve_refs()
        timesteps = timesteps or {}
        env_steps = int(timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))
        self.before_gradient_based_update(timesteps=timesteps)
        self._start_schedules(timesteps)
        rows, obs = self._rows(data)
        for minibatch in self._minibatches(rows):
            self._gradient_step(minibatch)
        self._weights_seq_no += 1
        self._statistics = self._measured(rows)
        bad = {k: v for k, v in self._statistics.items() if not math.isfinite(v)}
        if bad:
            raise NonFiniteLossError(bad, env_steps, self.updates)
        self._own_module.filter.update(obs)
        kl = self._statistics["kl"]
        self.metrics.log_value((DEFAULT_MODULE_ID, LEARNER_RESULTS_KL_KEY), kl, window=1)
        self.after_gradient_based_update(timesteps=timesteps)
        return {}

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: Any
    ) -> Tensor:
        """-surrogate + c_v (V - R)² - β H, means over a minibatch.

        H is estimated with fresh noise: minus the mean log density of the actions taken would have
        no gradient at the old policy. Source: Schulman et al. 2017, eq. 7 and 9.
        """
        module = self.module[module_id].unwrapped()
        features = batch[_FEATURES]
        log_prob = module.policy.log_prob(features, batch[Columns.ACTIONS])
        log_ratio = self._log_ratio(log_prob, batch)
        advantages = batch[Postprocessing.ADVANTAGES]
        if config.standardise_advantages == "minibatch":
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        loss = -self.surrogate(log_prob, log_ratio, advantages).mean()
        errors = (module.values(features) - batch[Postprocessing.VALUE_TARGETS]).square()
        if math.isfinite(config.vf_clip_param):
            errors = errors.clamp(max=config.vf_clip_param)
        loss = loss + config.vf_loss_coeff * errors.mean()
        beta = self.entropy_coeff_schedulers_per_module[module_id].get_current_value()
        if beta:
            loss = loss - beta * self._entropy(features)
        if config.use_kl_loss:
            loss = loss + self.curr_kl_coeffs_per_module[module_id] * _k3(log_ratio)
        return loss

    def surrogate(self, log_prob: Tensor, log_ratio: Tensor, advantages: Tensor) -> Tensor:
        """The clipped objective of each step ``[B]``. Source: Schulman et al. 2017, eq. 7."""
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - self._clip_range, 1 + self._clip_range)
        return torch.minimum(ratio * advantages, clipped * advantages)

    def pop_statistics(self) -> dict[str, float]:
        """Statistics of the last update."""
        return self._statistics

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> StateDict:
        """RLlib's state (module, optimiser), and noise, counter and KL coefficient."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(COMPONENT_SCHEDULE, components, not_components):
            state[COMPONENT_SCHEDULE] = {
                "noise": self.noise.get_state().cpu().numpy(),
                "updates": self.updates,
                "kl_coeff": float(self.curr_kl_coeffs_per_module[DEFAULT_MODULE_ID]),
            }
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned; weights are always taken, whatever their age."""
        self._weights_seq_no = 0
        super().set_state(state)
        if COMPONENT_SCHEDULE in state:
            own = state[COMPONENT_SCHEDULE]
            self.noise.set_state(torch.as_tensor(own["noise"]))
            self.updates = int(own["updates"])
            self.curr_kl_coeffs_per_module[DEFAULT_MODULE_ID].data.fill_(own["kl_coeff"])

    def compute_gradients(
        self, loss_per_module: dict[str, Tensor], **kwargs: Any
    ) -> dict[Any, Tensor]:
        """The gradient of the loss, as one tensor."""
        return self.flat.backward(loss_per_module[DEFAULT_MODULE_ID])

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Clip the norm of the whole gradient."""
        if self.config.grad_clip is not None:
            nn.utils.clip_grad_norm_(self.flat.values, self.config.grad_clip)
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """Make the optimiser's step; whether all is finite is asked once an iteration."""
        self.optimizer.step()

    @property
    def _own_module(self) -> Any:
        return self.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def _clip_range(self) -> float:
        return self.config.clip_param * (1 - self._progress if self.config.decay_clip else 1)

    def _start_schedules(self, timesteps: dict[str, Any]) -> None:
        """Set what follows the number of steps; a resumed run has no other memory of it."""
        steps = timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0)
        self.entropy_coeff_schedulers_per_module[DEFAULT_MODULE_ID].update(timestep=steps)
        if self.config.decay_steps is not None:
            self._progress = min(1.0, steps / self.config.decay_steps)
            self._set_optimizer_lr(self.optimizer, self.config.lr * (1 - self._progress))

    def _rows(self, data: TrainingData) -> tuple[Rows, Tensor]:
        """Real steps ``[B, ...]`` as the loss needs them, and their unfiltered observations."""
        batch = self._make_batch_if_necessary(data)[DEFAULT_MODULE_ID]
        real = batch[Columns.LOSS_MASK]
        names = (
            Columns.ACTIONS,
            Columns.ACTION_LOGP,
            Postprocessing.ADVANTAGES,
            Postprocessing.VALUE_TARGETS,
        )
        obs = batch[Columns.OBS][real]
        return {_FEATURES: self._own_module.filter(obs)} | {n: batch[n][real] for n in names}, obs

    def _minibatches(self, rows: Rows) -> Iterator[Rows]:
        """Every row once an epoch, in a new order."""
        size = len(rows[_FEATURES])
        for _ in range(self.config.num_epochs):
            order = torch.randperm(size, generator=self.noise, device=self._device)
            shuffled = {name: column[order] for name, column in rows.items()}
            for start in range(0, size, self.config.minibatch_size):
                stop = start + self.config.minibatch_size
                yield {name: column[start:stop] for name, column in shuffled.items()}

    def _gradient_step(self, minibatch: Rows) -> None:
        loss = self.compute_loss_for_module(
            module_id=DEFAULT_MODULE_ID, config=self.config, batch=minibatch, fwd_out={}
        )
        gradients = self.compute_gradients({DEFAULT_MODULE_ID: loss})
        self.apply_gradients(self.postprocess_gradients(gradients))
        self.updates += 1

    def _log_ratio(self, log_prob: Tensor, batch: Rows) -> Tensor:
        difference = log_prob - batch[Columns.ACTION_LOGP]
        return difference.clamp(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)

    def _entropy(self, features: Tensor) -> Tensor:
        module = self._own_module
        draws = len(features) * self.config.entropy_samples
        noise = torch.randn(draws, module.action_dim, generator=self.noise, device=self._device)
        return module.policy.entropy(features, noise)

    @torch.no_grad()
    def _measured(self, rows: Rows) -> dict[str, float]:
        """What the updated policy is like on the whole batch."""
        module, features, raw = self._own_module, rows[_FEATURES], rows[Columns.ACTIONS]
        log_prob = module.policy.log_prob(features, raw)
        log_ratio = self._log_ratio(log_prob, rows)
        targets = rows[Postprocessing.VALUE_TARGETS]
        errors = module.values(features) - targets
        surrogate = self.surrogate(log_prob, log_ratio, rows[Postprocessing.ADVANTAGES])
        bound = math.inf if module.is_squashed else 1.0
        scalars = {
            "policy_loss": -surrogate.mean(),
            "vf_loss": errors.square().mean(),
            "explained_variance": 1 - errors.var() / targets.var().clamp(min=1e-8),
            "entropy": self._entropy(features),
            "kl": _k3(log_ratio),
            "clip_fraction": ((log_ratio.exp() - 1).abs() > self._clip_range).float().mean(),
            "outside_bounds": (raw.abs() > bound).float().mean(),
        } | module.policy.statistics(features, raw)
        return {name: value.item() for name, value in scalars.items()}


class A2CLearner(PPOLearner):
    """One step along the gradient of mean(A log π) a batch. Source: Mnih et al. 2016, sec. 4."""

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """RMSprop with the decay and ε of baselines."""
        return torch.optim.RMSprop(parameters, alpha=0.99, eps=self.config.adam_epsilon)

    def surrogate(self, log_prob: Tensor, log_ratio: Tensor, advantages: Tensor) -> Tensor:
        """A log π of each step ``[B]``."""
        return advantages * log_prob

    def _minibatches(self, rows: Rows) -> Iterator[Rows]:
        yield rows


def _k3(log_ratio: Tensor) -> Tensor:
    """Estimate of KL(old ‖ new) from the old policy's actions: mean(r - 1 - log r), never below 0.

    Source: Schulman 2020, "Approximating KL divergence".
    """
    return (torch.expm1(log_ratio) - log_ratio).mean()
