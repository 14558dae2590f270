"""SM4 with every component on its own: rounds of broadcast and collect."""

from functools import partial
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS
from ray.rllib.utils.typing import ResultDict, StateDict
from ray.tune import PlacementGroupFactory

from expedition.algorithms.core.actor_pool import ActorPool
from expedition.algorithms.core.evaluation import merged
from expedition.algorithms.core.replay import TransitionReplay, transition_layout
from expedition.algorithms.core.rllib import local_learner
from expedition.algorithms.smm.algorithm import SMM
from expedition.algorithms.smm.component import (
    Component,
    RoundRequest,
    RoundResult,
    policy_of,
    replay_of,
)
from expedition.algorithms.smm.config import SMMConfig
from expedition.algorithms.smm.mixture_learner import MixtureLearner
from expedition.envs.coverage import CoverageTracker


class SplitSMM(SMM):
    """SM4's components as members of a pool.

    A round: every component gets the newest discriminator, collects its share of the round's
    environment steps and learns; meanwhile the discriminator learns from the states of the round
    before. Components use a d that has seen all but the last two rounds when theirs ends; with
    ``max_staleness`` they do not wait for each other and may run so many rounds ahead.

    To a component travel the weights of d; back come its new transitions as replay rows, its
    policy, statistics and coverage, and, from an actor, the state of its learner (networks and
    optimisers) and environments, with which another actor can take its place. Gradients do not.
    Source: app. B.1 names the scheme; the paper does not use it.
    """

    def setup(self, config: SMMConfig) -> None:
        """Build the mixture (policies, discriminator) and the pool of components."""
        super().setup(config)
        learner = local_learner(self.learner_group)
        assert isinstance(learner, MixtureLearner)
        self.mixture = learner
        components = self.config.num_skills
        self._results: list[RoundResult | None] = [None] * components
        self._started = [0] * components  # rounds, by component
        self._finished = [0] * components
        self._version = 0  # rounds of single components that d has learned from
        self._mirrors: list[TransitionReplay] = []
        self._fresh: list[RoundResult] = []
        self._waiting: list[tuple[int, RoundResult]] = []  # finished, but not taken in
        if self.config.component_actors:
            self._mirrors = [self._new_mirror() for _component in range(components)]
        frozen = self.config.copy()
        self.pool = ActorPool(
            build=partial(Component, frozen),
            members=components,
            actors=self.config.component_actors,
            num_cpus=self.config.component_cpus,
            strategy="SPREAD" if self.config.component_placement == "SPREAD" else "DEFAULT",
            record=self._mirror,
            recover=self._with_rows,
        )
        self.mixture.load_policies([policy_of(state) for state in self.pool.get_states()])

    @classmethod
    def default_resource_request(cls, config: Any) -> PlacementGroupFactory:
        """RLlib's request, and a bundle for every actor of the pool."""
        if not isinstance(config, AlgorithmConfig):
            config = cls.get_default_config().update_from_dict(config)
        request = super().default_resource_request(config)
        actors = min(config.component_actors, config.num_skills)
        bundles = [dict(bundle) for bundle in request.bundles]
        bundles += [{"CPU": config.component_cpus}] * actors
        return PlacementGroupFactory(bundles, strategy=config.component_placement)

    def training_step(self) -> None:
        """One round: as many environment steps as an iteration has, shared by the components."""
        self._keep_policy()
        self._fresh = []
        if self.config.max_staleness:
            self._asynchronous_round()
        else:
            requests = [self._request(z) for z in range(self.config.num_skills)]
            for z, result in enumerate(self.pool.run(requests, meanwhile=self._learn)):
                self._take_in(z, result)
        self.mixture.load_policies([result.policy for result in self._results if result])
        self._report()

    def coverage_tracker(self) -> CoverageTracker | None:
        """What all components have visited so far, merged."""
        return merged([result.tracker for result in self._results if result])

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """The mixture's state and every component's."""
        self._drain()
        state = super().get_state(*args, **kwargs)
        state["components"] = self.pool.get_states()
        state["rounds"] = {
            "started": list(self._started),
            "finished": list(self._finished),
            "version": self._version,
            "results": list(self._results),
            "waiting": list(self._waiting),
        }
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if "components" not in state:
            return
        self.pool.set_states(state["components"])
        self._started = list(state["rounds"]["started"])
        self._finished = list(state["rounds"]["finished"])
        self._version = state["rounds"]["version"]
        self._results = list(state["rounds"]["results"])
        self._waiting = list(state["rounds"]["waiting"])
        for mirror, component in zip(self._mirrors, state["components"], strict=False):
            mirror.load_state_dict(replay_of(component))

    def cleanup(self) -> None:
        """Let the components' actors go."""
        self.pool.stop()
        super().cleanup()

    def _request(self, z: int) -> RoundRequest:
        self._started[z] += 1
        # Shares of the total, so that rounds which do not divide evenly lose nothing.
        total = self._started[z] * self.config.iteration_steps
        share = (total * (z + 1)) // self.config.num_skills - (total * z) // self.config.num_skills
        weights = self.mixture.discriminator_state()
        return RoundRequest(share, weights, version=self._version)

    def _asynchronous_round(self) -> None:
        """Take in as many component rounds as there are components, whichever finish first.

        The first round takes one of each: before that there is no mixture.
        """
        components = range(self.config.num_skills)
        while len(self._fresh) < len(components) or None in self._results:
            slowest = min(self._finished)
            for z in components:
                is_idle = self._started[z] == self._finished[z]
                if is_idle and self._started[z] - slowest <= self.config.max_staleness:
                    self.pool.submit(z, self._request(z))
            self._take_in(*(self._waiting.pop(0) if self._waiting else self.pool.wait()))
            self._learn()

    def _take_in(self, z: int, result: RoundResult) -> None:
        self._finished[z] += 1
        self._results[z] = result
        self._fresh.append(result)
        self.mixture.take_in(z, result.transitions["obs"])
        results = [result for result in self._results if result]
        self.env_steps = sum(result.env_steps for result in results)
        self.updates = sum(result.updates for result in results)

    def _learn(self) -> None:
        """Make the discriminator's steps: as many as all components together made of theirs."""
        before = self.mixture.updates
        self.mixture.learn(self.updates - before)
        if self.mixture.updates > before:
            self._version = sum(self._finished)

    def _drain(self) -> None:
        """Finish the rounds that are under way, so that a checkpoint holds them whole.

        They are taken in with the next iteration, whose row has their steps and statistics.
        """
        for _pending in range(sum(self._started) - sum(self._finished) - len(self._waiting)):
            self._waiting.append(self.pool.wait())

    def _report(self) -> None:
        means = self._means([result.statistics for result in self._fresh])
        means |= self.mixture.pop_statistics()
        if self.config.num_skills > 1:  # otherwise there is no d
            versions = [result.version for result in self._fresh]
            means["discriminator_version_min"] = float(min(versions))
            means["discriminator_version_max"] = float(max(versions))
            age = sum(self._finished) - min(versions)
            means["staleness"] = age / self.config.num_skills  # rounds of all components
        means["pool_revivals"] = float(self.pool.revivals)
        self.metrics.log_dict(means, key=(LEARNER_RESULTS, DEFAULT_MODULE_ID), window=1)
        runner_metrics: list[ResultDict] = [result.metrics for result in self._fresh]
        self.metrics.aggregate(runner_metrics, key=ENV_RUNNER_RESULTS)

    @staticmethod
    def _means(statistics: list[dict[str, float]]) -> dict[str, float]:
        names = {name: None for one in statistics for name in one}
        present = {name: [one[name] for one in statistics if name in one] for name in names}
        return {name: sum(values) / len(values) for name, values in present.items()}

    def _new_mirror(self) -> TransitionReplay:
        spaces = self.env_runner.env
        layout = transition_layout(
            spaces.single_observation_space.shape[0], spaces.single_action_space.shape[0], 0
        )
        return TransitionReplay(self.config.replay_capacity, layout)

    def _mirror(self, z: int, result: RoundResult) -> None:
        if self._mirrors:
            self._mirrors[z].add(result.transitions)

    def _with_rows(self, z: int, state: StateDict) -> StateDict:
        replay_of(state)["rows"] = self._mirrors[z].rows
        return state
