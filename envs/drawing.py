"""Smooth shapes painted into pictures, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float64]


def blend(image: Picture, cover: NDArray[np.float64], color: NDArray[np.floating]) -> None:
    """Paint ``color`` over ``image`` (h, w, 3) where ``cover`` (h, w) is 1."""
    image += cover[..., None] * (color - image)


def blend_capsule(
    frame: Picture,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: float,
    color: NDArray[np.floating],
) -> None:
    """Paint all pixels within ``radius`` of a line from ``start`` to ``end``.

    Args:
        frame: Shape (h, w, 3), colours from 0 to 255.
        start: Column and row of one end, in pixels from the upper left corner; a disc's centre if
            ``end`` is the same.
        end: Of the other end.
        radius: In pixels.
        color: RGB.
    """
    size = np.array(frame.shape[1::-1])
    low = np.clip(np.floor(np.minimum(start, end) - radius - 1.0).astype(int), 0, size)
    high = np.clip(np.ceil(np.maximum(start, end) + radius + 1.0).astype(int), 0, size)
    x = np.arange(low[0], high[0]) + 0.5 - start[0]
    y = (np.arange(low[1], high[1]) + 0.5 - start[1])[:, None]
    line = end - start
    along = (x * line[0] + y * line[1]) / max(float(line @ line), 1e-12)
    nearest = np.clip(along, 0.0, 1.0)
    distance = np.hypot(x - nearest * line[0], y - nearest * line[1])
    patch = frame[low[1] : high[1], low[0] : high[0]]
    blend(patch, np.clip(radius - distance + 0.5, 0.0, 1.0), color)
