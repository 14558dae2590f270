"""One component of the mixture in the split layout: a skill with everything of its own."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.typing import ResultDict, StateDict
from torch import Tensor

from expedition.algorithms.core.env_runner import TransitionEnvRunner, Transitions
from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.smm.config import SPLIT_SETTINGS, SMMConfig
from expedition.algorithms.smm.learner import SMMLearner
from expedition.algorithms.smm.module import SMMModule, build_discriminator
from expedition.envs.coverage import CoverageTracker

_SEED_STRIDE = 100_003  # between the seeds of components; far above what one run uses up


@dataclass(frozen=True)
class RoundRequest:
    """A round of one component.

    Attributes:
        env_steps: Environment steps the component shall have made at its end.
        discriminator: Weights of d.
        version: Component rounds that this d has learned from.
    """

    env_steps: int
    discriminator: dict[str, np.ndarray]
    version: int


@dataclass(frozen=True)
class RoundResult:
    """What a round brings: new transitions as stored, and the newest of everything else."""

    transitions: Transitions
    env_steps: int
    updates: int
    policy: dict[str, np.ndarray]
    statistics: dict[str, float]
    metrics: ResultDict
    tracker: CoverageTracker | None
    version: int


class ComponentModule(SMMModule):
    """SAC and q_z on the observation alone, and a read-only copy of d."""

    def setup(self) -> None:
        """Build the networks of a single skill, and the discriminator of all."""
        settings = self.model_config
        self.model_config = {**settings, "num_skills": 1}
        super().setup()
        if not self.inference_only:
            self.discriminator = build_discriminator(self.whiten.dim, settings)
            self.discriminator.requires_grad_(False)


class ComponentLearner(SMMLearner):
    """The SMM step with this component's column of a discriminator that learns elsewhere."""

    def discriminate(self, states: Tensor, skills: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Log d(z|s) ``[B]`` of this component's z; nothing to learn."""
        if self.config.num_skills == 1:
            return states.new_zeros(len(states)), {}
        with torch.no_grad():
            return self.smm.log_discriminator(states)[:, self.config.component], {}


class Component:
    """Owns environments, policy, critics, density model, replay and random numbers of a skill.

    Args:
        config: Of the whole mixture.
        index: z.
    """

    def __init__(self, config: SMMConfig, index: int) -> None:
        self.config = component_config(config, index)
        self.runner = TransitionEnvRunner(config=self.config)
        env = self.runner.env
        spaces = (env.single_observation_space, env.single_action_space)
        self.learner: ComponentLearner = self.config.build_learner(
            spaces={"default_policy": spaces}
        )
        self._act_with_the_learners_policy()
        self.env_steps = 0
        self.updates = 0

    def run(self, request: RoundRequest) -> RoundResult:
        """Collect up to the requested step and make the updates that are due."""
        self.learner.smm.discriminator.load_state_dict(
            {name: torch.tensor(value) for name, value in request.discriminator.items()}
        )
        before = self.env_steps
        while self.env_steps < request.env_steps:
            self._fragment()
        stored = self.learner.replay.newest(self.env_steps - before)
        return RoundResult(
            transitions={name: column.cpu().numpy() for name, column in stored.items()},
            env_steps=self.env_steps,
            updates=self.updates,
            policy={
                name: value.numpy().copy()
                for name, value in self.learner.smm.policy.state_dict().items()
            },
            statistics=self.learner.pop_statistics(),
            metrics=self.runner.get_metrics(),
            tracker=copy.deepcopy(self.runner.tracker),  # later rounds may come before it is read
            version=request.version,
        )

    def get_state(self) -> StateDict:
        """Everything the next round depends on."""
        runner = self.runner.get_state(not_components=COMPONENT_RL_MODULE)
        counters = {"env_steps": self.env_steps, "updates": self.updates}
        return {"learner": self.learner.get_state(), "runner": runner, "counters": counters}

    def round_state(self) -> StateDict:
        """The state without the replay's rows, which are the transitions of all rounds."""
        state = self.get_state()
        del replay_of(state)["rows"]
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        self.learner.set_state(state["learner"])
        self.runner.set_state(state["runner"])
        self.env_steps = int(state["counters"]["env_steps"])
        self.updates = int(state["counters"]["updates"])
        self._act_with_the_learners_policy()

    def _fragment(self) -> None:
        is_warmup = self.env_steps < self.config.warmup_steps
        transitions = self.runner.sample(
            num_steps=self.config.fragment_steps,
            random_actions=is_warmup and self.config.warmup_actions == "uniform",
        )
        self.env_steps += len(transitions["rewards"])
        past = max(0, self.env_steps - self.config.warmup_steps)
        due = int(past * self.config.updates_per_step)
        self.learner.update(
            batch=as_train_batch(transitions),
            num_updates=due - self.updates,
            env_steps=self.env_steps,
        )
        self.updates = due

    def _act_with_the_learners_policy(self) -> None:
        source = dict(self.learner.smm.named_parameters())
        for name, parameter in self.runner.module.named_parameters():
            parameter.data = source[name].data


def component_config(config: SMMConfig, index: int) -> Any:
    """The config of component ``index``: its share of the warm-up, its own seed and classes."""
    own = config.copy(copy_frozen=False)
    own.component = index
    own.warmup_steps = -(-config.warmup_steps // config.num_skills)
    own.debugging(seed=(config.seed or 0) + _SEED_STRIDE * (index + 1))
    own.rl_module(rl_module_spec=RLModuleSpec(module_class=ComponentModule))
    own.learners(learner_class=ComponentLearner)
    of_a_pool = {name: setting.default for name, setting in SPLIT_SETTINGS.items()}
    return own.training(layout="shared", **of_a_pool)


def policy_of(state: StateDict) -> dict[str, np.ndarray]:
    """The policy's weights in a component's state."""
    weights = state["learner"][COMPONENT_RL_MODULE][DEFAULT_MODULE_ID]
    return {
        name.removeprefix("policy."): value
        for name, value in weights.items()
        if name.startswith("policy.")
    }


def replay_of(state: StateDict) -> dict[str, Any]:
    """The replay's part of a component's state."""
    return state["learner"]["replay"]["replay"]
