"""Populations of perceptrons: a member is a flat vector, and all members act together."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import TypeVar

import numpy as np
from torch import Tensor

from expedition.algorithms.core.networks import Activation

Vectors = TypeVar("Vectors", np.ndarray, Tensor)


class PerceptronLayout:
    """Where the weights of a perceptron are in a flat vector of P numbers.

    Args:
        sizes: Layer widths, input first, output last.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.num_layers = len(sizes) - 1
        self._shapes: dict[str, tuple[int, int]] = {}
        for layer, (rows, columns) in enumerate(pairwise(sizes)):
            self._shapes[f"weight_{layer}"] = (rows, columns)
            self._shapes[f"bias_{layer}"] = (1, columns)
        self.size = sum(prod(shape) for shape in self._shapes.values())

    def unflattened(self, vectors: Vectors) -> dict[str, Vectors]:
        """Weights ``[..., in, out]`` and biases ``[..., 1, out]`` of ``vectors`` ``[..., P]``."""
        parts: dict[str, Vectors] = {}
        start = 0
        for name, shape in self._shapes.items():
            stop = start + prod(shape)
            parts[name] = vectors[..., start:stop].reshape(*vectors.shape[:-1], *shape)
            start = stop
        return parts


class ActingMembers:
    """M perceptrons that act without noise, each in the C copies of its own; one product a layer.

    Args:
        layout: Of the perceptrons.
        members: ``[M, P]``.
        activation: Non-linearity of the hidden layers.
    """

    def __init__(
        self, layout: PerceptronLayout, members: np.ndarray, activation: Activation
    ) -> None:
        weights = layout.unflattened(members)
        self._layers = [
            (weights[f"weight_{layer}"], weights[f"bias_{layer}"])
            for layer in range(layout.num_layers)
        ]
        self._is_relu = activation == "relu"

    def draw(self, obs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Actions twice; see ``Actor.draw``: the only noise of this method is in the members."""
        (weight, bias), *rest = self._layers
        x = obs @ weight + bias
        for weight, bias in rest:
            x = np.maximum(x, 0.0) if self._is_relu else np.tanh(x)
            x = x @ weight + bias
        return x, x


def drawn(
    mean: np.ndarray, std: np.ndarray, members: int, generator: np.random.Generator
) -> np.ndarray:
    """Members ``[M, P]`` from N(mean, diag std²), with ``mean`` and ``std`` ``[P]``."""
    noise = generator.standard_normal((members, len(mean)))
    return (mean + std * noise).astype(np.float32)


def fitted(members: np.ndarray, scores: np.ndarray, elites: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation ``[P]`` of the ``elites`` members of largest score.

    Args:
        members: ``[M, P]``.
        scores: ``[M]``; of equal ones the first counts as larger.
        elites: How many, at most M.
    """
    best = np.argsort(-scores, kind="stable")[:elites]
    return members[best].mean(0), members[best].std(0)
