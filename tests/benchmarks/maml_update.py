"""Seconds of one MAML meta-update: ours, and one task after the other on cloned modules.

    OMP_NUM_THREADS=1 python tests/benchmarks/maml_update.py

Both sides get the same data and settings: 20 tasks of 20 episodes of 25 steps, two inputs and two
actions, two hidden layers, one inner step, TRPO with ten iterations of conjugate gradient on all
data, one thread, float32 networks. A meta-update is the loss and its gradient through the inner
step, the search direction and the line search; sampling and advantages are not timed.

The other side is the structure of learn2learn's MAML-TRPO example, written out here: for every task
clone the module, take the inner step on the clone with a graph, add up loss and KL, and get
curvature products by differentiating the KL twice. Rounds alternate between the sides; the table
gives medians and quartiles of seconds, and of the ratio within a round.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.trust_region import TrustRegion, trust_region_step
from expedition.algorithms.maml.meta_objective import MetaBatch, meta_objective
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch

TASKS, STEPS, OBS, ACTIONS = 20, 500, 2, 2
INNER_LR, MAX_KL, DAMPING, CG_STEPS = 0.1, 0.01, 1e-5, 10
BACKTRACKS, BACKTRACK_RATIO = 15, 0.8


class LoopPolicy(nn.Module):
    """A Gaussian policy of ordinary modules, for one task at a time."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(OBS, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, ACTIONS),
        )
        self.log_std = nn.Parameter(torch.zeros(ACTIONS))

    def forward(self, obs: Tensor) -> Independent:
        return Independent(Normal(self.body(obs), self.log_std.exp()), 1)


def clone(module: nn.Module) -> nn.Module:
    """Copy of a module tree whose parameters are differentiable copies of the originals."""
    copy = module.__new__(type(module))
    copy.__dict__ = dict(module.__dict__)
    copy._parameters = {
        name: None if value is None else value.clone() for name, value in module._parameters.items()
    }
    copy._modules = {name: clone(child) for name, child in module._modules.items()}
    return copy


def parameters_in_place(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Every parameter with the module and name it is kept under."""
    for owner in module.modules():
        for name, value in owner._parameters.items():
            yield owner, name, value


def adapted(policy: LoopPolicy, batch: TaskBatch, task: int) -> nn.Module:
    """A clone after its inner step on one task."""
    copy = clone(policy)
    loss = -(batch.advantages[task] * copy(batch.obs[task]).log_prob(batch.actions[task])).mean()
    places = list(parameters_in_place(copy))
    gradients = torch.autograd.grad(loss, [value for _, _, value in places], create_graph=True)
    for (owner, name, value), gradient in zip(places, gradients, strict=True):
        owner._parameters[name] = value - INNER_LR * gradient
    return copy


def loop_loss(
    policy: LoopPolicy, before: TaskBatch, after: TaskBatch, old: list[Independent]
) -> tuple[Tensor, Tensor]:
    """Mean loss and KL over tasks, one task after the other."""
    loss, divergence = torch.zeros(()), torch.zeros(())
    for task in range(TASKS):
        new = adapted(policy, before, task)(after.obs[task])
        divergence = divergence + kl_divergence(old[task], new).mean()
        actions = after.actions[task]
        ratio = (new.log_prob(actions) - old[task].log_prob(actions)).exp()
        loss = loss - (ratio * after.advantages[task]).mean()
    return loss / TASKS, divergence / TASKS


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor) -> Tensor:
    """Solve H x = target by ``CG_STEPS`` iterations."""
    x = torch.zeros_like(target)
    residual, direction = target.clone(), target.clone()
    square = residual @ residual
    for _ in range(CG_STEPS):
        image = product(direction) + DAMPING * direction
        step = square / (direction @ image)
        x, residual = x + step * direction, residual - step * image
        new_square = residual @ residual
        direction, square = residual + (new_square / square) * direction, new_square
    return x


def line_search(
    evaluate: Callable[[Tensor], tuple[float, float]], start: Tensor, step: Tensor, loss: float
) -> Tensor:
    """The first candidate that lowers the loss inside the trust region, or the start."""
    for index in range(BACKTRACKS):
        candidate = start - BACKTRACK_RATIO**index * step
        new_loss, divergence = evaluate(candidate)
        if new_loss < loss and divergence <= MAX_KL:
            return candidate
    return start


def full_step(product: Callable[[Tensor], Tensor], direction: Tensor) -> Tensor:
    """Scale a direction to the edge of the trust region."""
    return direction * torch.sqrt(2 * MAX_KL / (direction @ product(direction) + 1e-8))


def behaviour(policy: LoopPolicy, before: TaskBatch, after: TaskBatch) -> list[Independent]:
    """What the adapted policies do at every step; known from sampling, so not timed."""
    old = []
    for task in range(TASKS):
        distribution = adapted(policy, before, task)(after.obs[task]).base_dist
        old.append(Independent(Normal(distribution.loc.detach(), distribution.scale.detach()), 1))
    return old


def loop_update(
    policy: LoopPolicy, before: TaskBatch, after: TaskBatch, old: list[Independent]
) -> None:
    """One meta-update of the other side."""
    parameters = list(policy.parameters())
    loss, divergence = loop_loss(policy, before, after, old)
    gradient = parameters_to_vector(torch.autograd.grad(loss, parameters, retain_graph=True))
    slope = parameters_to_vector(torch.autograd.grad(divergence, parameters, create_graph=True))

    def product(vector: Tensor) -> Tensor:
        return parameters_to_vector(
            torch.autograd.grad(slope @ vector, parameters, retain_graph=True)
        )

    def evaluate(flat: Tensor) -> tuple[float, float]:
        vector_to_parameters(flat, parameters)
        losses = loop_loss(policy, before, after, old)
        return losses[0].item(), losses[1].item()

    start = parameters_to_vector(parameters).detach()
    step = full_step(product, conjugate_gradient(product, gradient))
    vector_to_parameters(line_search(evaluate, start, step, loss.item()), parameters)


def batched_update(policy: AdaptablePolicy, batch: MetaBatch, old: Gaussian) -> None:
    """One meta-update of ours."""
    objective = meta_objective(policy, batch, old)
    region = TrustRegion(MAX_KL, CG_STEPS, DAMPING, BACKTRACKS, BACKTRACK_RATIO)
    step = trust_region_step(objective, objective.start, region)
    vector_to_parameters(step.parameters.float(), list(policy.parameters()))


def data(seed: int) -> TaskBatch:
    """Random steps of all tasks; what they are does not change the work."""
    generator = torch.Generator().manual_seed(seed)
    obs, actions = (torch.randn(TASKS, STEPS, n, generator=generator) for n in (OBS, ACTIONS))
    advantages = torch.randn(TASKS, STEPS, generator=generator)
    return TaskBatch(obs, actions, advantages, torch.ones(TASKS, STEPS))


def copied(policy: AdaptablePolicy, hidden: int) -> LoopPolicy:
    """The other side's policy with the same values."""
    other = LoopPolicy(hidden)
    with torch.no_grad():
        values = policy.initial()
        other.log_std.copy_(values["log_std"][0])
        for index, layer in enumerate(m for m in other.body if isinstance(m, nn.Linear)):
            layer.weight.copy_(values[f"weight_{index}"].T)
            layer.bias.copy_(values[f"bias_{index}"][0])
    return other


def measure(hidden: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of both sides, round by round; the first round is a warm-up."""
    torch.manual_seed(0)
    seconds = []
    for seed in range(rounds + 1):
        policy = AdaptablePolicy(OBS, ACTIONS, (hidden, hidden), inner_lr=INNER_LR)
        other = copied(policy, hidden)
        before, after = data(2 * seed), data(2 * seed + 1)
        old = behaviour(other, before, after)
        acted = Gaussian(
            torch.stack([d.base_dist.loc for d in old]), torch.zeros(TASKS, 1, ACTIONS)
        )
        acted = acted._replace(log_std=torch.stack([d.base_dist.scale[:1] for d in old]).log())
        batch = MetaBatch([before], after)
        start = time.perf_counter()
        batched_update(policy, batch, acted)
        middle = time.perf_counter()
        loop_update(other, before, after, old)
        seconds.append((middle - start, time.perf_counter() - middle))
        check(policy, other)
    ours, theirs = np.array(seconds[1:]).T
    return ours, theirs


def check(policy: AdaptablePolicy, other: LoopPolicy) -> None:
    """Both sides must have made the same update."""
    theirs = next(m for m in other.body if isinstance(m, nn.Linear)).weight.T
    torch.testing.assert_close(policy.initial()["weight_0"], theirs, rtol=0, atol=2e-3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 100])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"MAML meta-update, {TASKS} tasks x {STEPS} steps, {options.rounds} rounds, one thread")
    print(f"{'hidden':<8}{'ours s':>10}{'loop s':>10}{'loop / ours':>14}{'quartiles':>16}")
    for hidden in options.hidden:
        ours, theirs = measure(hidden, options.rounds)
        low, middle, high = np.percentile(theirs / ours, [25, 50, 75])
        print(
            f"{hidden:<8}{np.median(ours):>10.3f}{np.median(theirs):>10.3f}"
            f"{middle:>14.2f}{f'{low:.2f} to {high:.2f}':>16}"
        )


if __name__ == "__main__":
    main()
