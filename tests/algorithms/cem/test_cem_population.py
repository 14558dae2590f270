import numpy as np
import pytest
import torch

from expedition.algorithms.cem.population import ActingMembers, PerceptronLayout, drawn, fitted


def test_a_layout_takes_a_vector_apart_in_order():
    layout = PerceptronLayout((2, 3, 1))
    assert layout.size == 2 * 3 + 3 + 3 * 1 + 1
    parts = layout.unflattened(np.arange(26.0).reshape(2, 13))
    np.testing.assert_array_equal(parts["weight_0"][0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(parts["bias_0"][1], [[19, 20, 21]])
    np.testing.assert_array_equal(parts["weight_1"][1], [[22], [23], [24]])
    np.testing.assert_array_equal(parts["bias_1"][0], [[12]])


@pytest.mark.parametrize(
    ("activation", "function"), [("tanh", np.tanh), ("relu", lambda x: x * (x > 0))]
)
def test_members_act_as_each_would_alone(activation, function):
    rng = np.random.default_rng(0)
    layout = PerceptronLayout((4, 5, 2))
    members = rng.standard_normal((7, layout.size)).astype(np.float32)
    obs = rng.standard_normal((7, 3, 4)).astype(np.float32)
    acting = ActingMembers(layout, members, activation)
    together, drawn_actions = acting.draw(obs, rng.standard_normal((7, 3, 2)))
    np.testing.assert_array_equal(together, drawn_actions)  # no noise of the actions
    for member in range(7):
        one = {k: v[member] for k, v in layout.unflattened(members).items()}
        hidden = function(obs[member] @ one["weight_0"] + one["bias_0"])
        alone = hidden @ one["weight_1"] + one["bias_1"]
        np.testing.assert_allclose(together[member], alone, atol=1e-5)


def test_torch_and_numpy_agree_on_the_layout():
    layout = PerceptronLayout((3, 2))
    vector = np.arange(8, dtype=np.float32)
    for name, part in layout.unflattened(torch.from_numpy(vector)).items():
        np.testing.assert_array_equal(part.numpy(), layout.unflattened(vector)[name])


def test_members_are_drawn_from_the_gaussian():
    mean, std = np.array([1.0, -2.0]), np.array([0.5, 0.0])
    members = drawn(mean, std, 40_000, np.random.default_rng(1))
    np.testing.assert_allclose(members.mean(0), mean, atol=0.01)
    np.testing.assert_allclose(members.std(0), std, atol=0.01)


def test_the_gaussian_is_fitted_to_the_best():
    members = np.array([[0.0, 9.0], [1.0, 2.0], [3.0, 6.0], [7.0, 7.0]])
    mean, std = fitted(members, np.array([-1.0, 5.0, 5.0, 4.0]), 2)
    np.testing.assert_allclose(mean, [2.0, 4.0])
    np.testing.assert_allclose(std, [1.0, 2.0])


def test_repeated_fits_find_the_maximum_of_a_function():
    target = np.array([0.7, -1.3, 2.0])
    mean, std = np.zeros(3), np.ones(3)
    rng = np.random.default_rng(2)
    for _ in range(60):
        members = drawn(mean, std, 200, rng)
        mean, std = fitted(members, -np.square(members - target).sum(1), 60)
    np.testing.assert_allclose(mean, target, atol=0.05)
