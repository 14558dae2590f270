import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.maesn.latents import Latents, Steps, adapted, likelihood_gradient

TASKS, EPISODES, DIM = 3, 7, 2


def example() -> tuple[Latents, Tensor, Tensor, Steps]:
    torch.manual_seed(0)
    latents = Latents(torch.randn(TASKS, DIM).double(), 0.5 * torch.randn(TASKS, DIM).double())
    drawn = latents.draw(torch.randn(TASKS, EPISODES, DIM).double())
    raw = torch.randn(TASKS, EPISODES).double()
    advantages = (raw - raw.mean(1, keepdim=True)) / raw.std(1, unbiased=False, keepdim=True)
    steps = Steps(torch.tensor([1.3, 0.4]).double(), torch.tensor([0.7, 2.0]).double())
    return latents, drawn, advantages, steps


def test_the_closed_form_is_the_gradient_of_the_log_likelihood():
    latents, drawn, advantages, _ = example()
    means, log_stds = (value.clone().requires_grad_() for value in latents)
    log_prob = Normal(means.unsqueeze(1), log_stds.exp().unsqueeze(1)).log_prob(drawn).sum(-1)
    surrogate = (advantages * log_prob).mean(1).sum()
    expected = torch.autograd.grad(surrogate, [means, log_stds])
    for closed, auto in zip(likelihood_gradient(latents, drawn, advantages), expected, strict=True):
        torch.testing.assert_close(closed, auto)


def test_the_jacobian_of_the_inner_step_is_the_one_of_standardised_advantages():
    # With Σ_k Ā_k = 0: ∂m'/∂m = I, ∂m'/∂s = -2 diag(a_m g_m), ∂s'/∂m = -2 diag(a_s g_s) in units
    # of g_m, and ∂s'/∂s = I - 2 diag(a_s mean(Ā e²)).
    latents, drawn, advantages, steps = example()
    gradient = likelihood_gradient(latents, drawn, advantages)
    sigma = latents.log_stds.exp()
    error = (drawn - latents.means.unsqueeze(1)) / sigma.unsqueeze(1)
    second = (advantages.unsqueeze(-1) * error.square()).mean(1)
    for task in range(TASKS):
        row = Latents(latents.means[task : task + 1], latents.log_stds[task : task + 1])
        own = (drawn[task : task + 1], advantages[task : task + 1])

        def after(m: Tensor, s: Tensor, own: tuple[Tensor, Tensor] = own) -> tuple[Tensor, Tensor]:
            return tuple(v[0] for v in adapted(Latents(m[None], s[None]), *own, steps))

        jacobian = torch.autograd.functional.jacobian(after, (row.means[0], row.log_stds[0]))
        torch.testing.assert_close(jacobian[0][0], torch.eye(DIM).double(), atol=1e-12, rtol=0)
        torch.testing.assert_close(
            jacobian[0][1], torch.diag(-2 * steps.means * gradient.means[task])
        )
        torch.testing.assert_close(
            jacobian[1][0], torch.diag(-2 * steps.log_stds * gradient.means[task])
        )
        torch.testing.assert_close(
            jacobian[1][1], torch.eye(DIM).double() - torch.diag(2 * steps.log_stds * second[task])
        )


def test_the_step_scales_each_dimension_by_its_own_size():
    latents, drawn, advantages, steps = example()
    gradient = likelihood_gradient(latents, drawn, advantages)
    after = adapted(latents, drawn, advantages, steps)
    torch.testing.assert_close(after.means, latents.means + steps.means * gradient.means)
    torch.testing.assert_close(
        after.log_stds, latents.log_stds + steps.log_stds * gradient.log_stds
    )
    halved = adapted(latents, drawn, advantages, steps.scaled(0.5))
    torch.testing.assert_close(halved.means, (latents.means + after.means) / 2)


def test_tasks_move_towards_latents_that_did_well():
    latents = Latents.prior(1, 2)
    drawn = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]]]).double()
    advantages = torch.tensor([[math.sqrt(2), -math.sqrt(2), 0.0, 0.0]]).double()
    after = adapted(latents, drawn, advantages, Steps(torch.ones(2), torch.ones(2)))
    torch.testing.assert_close(after.means, torch.tensor([[math.sqrt(0.5), 0.0]]).double())


def test_the_divergence_from_the_prior_is_torchs():
    latents, *_ = example()
    expected = kl_divergence(Normal(latents.means, latents.log_stds.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(latents.kl_to_prior(), expected.sum(-1))
    assert not Latents.prior(4, 3).kl_to_prior().any()
