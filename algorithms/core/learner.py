"""The off-policy learner: owns the replay and makes many gradient steps a call."""

import math
from collections.abc import Callable, Collection
from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.typing import ResultDict, StateDict
from torch import Tensor

from expedition.algorithms.core.env_runner import Transitions
from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.algorithms.core.replay import Batch, TransitionReplay, transition_layout
from expedition.algorithms.core.running_means import RunningMeans

COMPONENT_REPLAY = "replay"


class OffPolicyLearner(TorchLearner):
    """Writes new transitions to its replay, then makes gradient steps from it.

    Subclasses define ``configure_optimizers_for_module`` and ``gradient_step``. The learner runs
    without Ray actors: build it from a config, ``update`` it with transitions.
    """

    def build(self) -> None:
        """Build module and optimisers (RLlib), then the replay on the module's device."""
        super().build()
        self._use_memory_as_it_is()
        module = self.module[DEFAULT_MODULE_ID].unwrapped()
        self.replay = TransitionReplay(
            self.config.replay_capacity,
            transition_layout(module.obs_dim, module.action_dim, module.context_dim),
            self._device,
            seed=self.config.seed or 0,
        )
        self.noise = torch.Generator(self._device).manual_seed((self.config.seed or 0) + 1)
        self.updates = 0
        self._means = RunningMeans()
        self._step = self._compiled(self.gradient_step)

    def update(
        self,
        batch: MultiAgentBatch | None = None,
        *,
        training_data: TrainingData | None = None,
        num_updates: int = 0,
        env_steps: int = 0,
        **_: Any,
    ) -> ResultDict:
        """Write new transitions and make gradient steps.

        Args:
            batch: New transitions of the default module, from ``as_train_batch``.
            training_data: The same, as RLlib's learner group passes it.
            num_updates: Gradient steps to make.
            env_steps: Environment steps so far, for error messages.

        Returns:
            Empty: statistics are read with ``pop_statistics``.

        Raises:
            NonFiniteLossError: If a loss became NaN or infinite.
        """
        if batch is None:
            assert training_data is not None
            batch = training_data.batch
        transitions = dict(batch.policy_batches[DEFAULT_MODULE_ID])
        self.replay.add(self.prepare(transitions))
        for _update in range(num_updates):
            self._means.add(self._step(self.replay.sample(self.config.train_batch_size)))
            self.updates += 1
            self.after_gradient_step()
        if not self._means.is_finite():
            bad = {k: v for k, v in self._means.pop().items() if not math.isfinite(v)}
            raise NonFiniteLossError(bad, env_steps, self.updates)
        self._weights_seq_no += 1
        return {}

    def prepare(self, transitions: Transitions) -> Transitions:
        """Turn sampled transitions into stored ones: scale rewards, settle the time limit."""
        transitions["rewards"] = transitions["rewards"] * self.config.reward_scale
        if self.config.time_limit_is_terminal:
            transitions["terminateds"] = transitions["terminateds"] | transitions["truncateds"]
        return transitions

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """Make one update of everything that learns.

        Args:
            batch: Replayed columns ``[B, ...]``; a subclass may add to it.

        Returns:
            Scalars to report, always under the same names.
        """
        raise NotImplementedError

    def after_gradient_step(self) -> None:
        """What follows every gradient step and is not to be compiled with it; here nothing."""

    def compute_loss_for_module(self, **kwargs: Any) -> Tensor:
        """Not used: ``gradient_step`` computes every loss."""
        raise NotImplementedError("the off-policy learners update through gradient_step")

    def pop_statistics(self) -> dict[str, float]:
        """Mean scalars since the last call."""
        return self._means.pop()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal noise from the learner's own generator."""
        return torch.randn(shape, generator=self.noise, device=self._device)

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> StateDict:
        """RLlib's state (module, optimisers), and replay, noise and counters."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(COMPONENT_REPLAY, components, not_components):
            state[COMPONENT_REPLAY] = {
                "replay": self.replay.state_dict(),
                "noise": self.noise.get_state().cpu().numpy(),
                "updates": self.updates,
            }
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned; weights are always taken, whatever their age."""
        self._weights_seq_no = 0
        super().set_state(state)
        if COMPONENT_REPLAY in state:
            own = state[COMPONENT_REPLAY]
            self.replay.load_state_dict(own["replay"])
            self.noise.set_state(torch.as_tensor(own["noise"]))
            self.updates = int(own["updates"])

    def _compiled(self, function: Callable[[Batch], dict[str, Tensor]]) -> Any:
        if not self.config.torch_compile_learner:
            return function
        return torch.compile(
            function,
            backend=self.config.torch_compile_learner_dynamo_backend,
            mode=self.config.torch_compile_learner_dynamo_mode,
        )

    @staticmethod
    def _use_memory_as_it_is() -> None:
        # RLlib's seeding asks PyTorch for deterministic algorithms, which by default also fills
        # every fresh tensor with NaN; that costs time and does not change any result.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def as_train_batch(transitions: Transitions) -> MultiAgentBatch:
    """Wrap transitions so that RLlib's learner group takes them."""
    return MultiAgentBatch(
        {DEFAULT_MODULE_ID: SampleBatch(transitions)}, env_steps=len(transitions["rewards"])
    )
