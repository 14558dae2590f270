from __future__ import annotations

import numpy as np
import pytest

from expedition.platform.action_plots import contour


def test_the_contour_is_one_standard_deviation_away_in_every_direction() -> None:
    covariance = np.array([[0.05, 0.045], [0.045, 0.05]])
    ellipse = contour(covariance)
    distances = np.einsum("in,ij,jn->n", ellipse, np.linalg.inv(covariance), ellipse)
    assert distances == pytest.approx(np.ones(100))
