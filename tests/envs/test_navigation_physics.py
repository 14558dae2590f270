import numpy as np
import pytest
from substep_reference import step as reference_step
from substep_reference import wall_distance

from expedition.envs.histogram import StateHistogram, entropy
from expedition.envs.navigation.geometry import AGENT_RADIUS, HallGeometry
from expedition.envs.navigation.physics import DAMPING, FRICTION, HallPhysics


def column(x, y):
    return np.array([[float(x)], [float(y)]])


def coast(physics, position, velocity):
    """One step without force that starts flying at ``velocity``."""
    return physics.step(column(*position), column(*velocity) / DAMPING, column(0, 0))


def rollout(geometry, n, steps, seed, hold=1):
    """Positions (steps, 2, n) and velocities under uniform actions held for ``hold`` steps."""
    physics, rng = HallPhysics(geometry), np.random.default_rng(seed)
    p = v = np.zeros((2, n))
    positions, velocities = [], []
    for t in range(steps):
        if t % hold == 0:
            force = rng.uniform(-1.0, 1.0, (2, n))
        p, v = physics.step(p, v, force)
        positions.append(p)
        velocities.append(v)
    return np.array(positions), np.array(velocities)


def test_constant_force_from_rest_moves_as_in_box2d():
    physics = HallPhysics(HallGeometry())
    p = v = np.zeros((2, 1))
    xs = []
    for _ in range(8):
        p, v = physics.step(p, v, column(1, 0))
        xs.append(p[0, 0])
    # Measured with Box2D 2.3.10.
    expected = [0.286, 0.831, 1.607, 2.592, 3.766, 5.108, 6.602, 8.234]
    np.testing.assert_allclose(xs, expected, atol=6e-4)
    assert p[1, 0] == 0.0


def test_speed_is_limited_to_two_units_a_step():
    physics = HallPhysics(HallGeometry(3, 500.0))
    p = v = np.zeros((2, 1))
    for _ in range(60):
        before, (p, v) = p, physics.step(p, v, column(1, 0))
    assert p[0, 0] - before[0, 0] == pytest.approx(2.0, abs=1e-12)


def test_impact_on_a_side_bounces_and_rubs():
    p, v = coast(HallPhysics(HallGeometry()), (5.0, 0.3), (50.0, 50.0))
    # Meets y = 0.4 after a fifth of the step; 0.3 of the normal speed comes back, and friction
    # takes mu times the normal impulse (1.3 * 50) from the sliding speed.
    slide = 50.0 - FRICTION * 65.0
    np.testing.assert_allclose(v[:, 0], [slide, -15.0], atol=1e-9)
    np.testing.assert_allclose(p[:, 0], [5.1 + 0.008 * slide, 0.4 - 0.008 * 15.0], atol=1e-12)


def test_slow_impact_does_not_bounce():
    p, v = coast(HallPhysics(HallGeometry()), (5.0, 0.398), (10.0, 0.5))
    assert p[1, 0] == pytest.approx(0.4, abs=1e-12)
    assert v[1, 0] == pytest.approx(0.0, abs=1e-12)
    assert v[0, 0] == pytest.approx(10.0 - FRICTION * 0.5)


def test_impact_on_a_corner_bounces_along_its_normal():
    corner, angle = np.array([2.0, 0.5]), np.radians(15.0)
    normal = np.array([-np.sin(angle), -np.cos(angle)])
    p, v = coast(HallPhysics(HallGeometry()), corner + 0.3 * normal, -40.0 * normal)
    # Flies 0.2 to the corner's reach in half the step, then back at 0.3 * 40 for the other half.
    np.testing.assert_allclose(p[:, 0], corner + (0.1 + 0.005 * 12.0) * normal, atol=1e-12)
    np.testing.assert_allclose(v[:, 0], 12.0 * normal, atol=1e-9)


def test_cap_and_edge_stop_the_disc():
    physics = HallPhysics(HallGeometry(3, 10.0))
    p, v = coast(physics, (11.3, 0.0), (100.0, 0.0))
    assert p[0, 0] == pytest.approx(11.4 - 0.009 * 30.0)
    p, v = coast(physics, (0.0, 0.0), (-180.0, 0.0))  # the middle of the edge opposite hall 0
    stop = 2.0 * np.cos(np.pi / 3) + 0.5 * np.sin(np.pi / 3) - AGENT_RADIUS
    assert p[0, 0] == pytest.approx(-stop + (0.01 - stop / 180.0) * 0.3 * 180.0)
    assert v[0, 0] == pytest.approx(54.0)


def test_two_impacts_in_one_step():
    p, v = coast(HallPhysics(HallGeometry()), (5.0, -0.4), (0.0, 200.0))
    # 0.8 up in 0.004 s, then 0.006 s at 60 down: 0.36, no second wall. From higher speed along
    # the hall's end, cap and side are both met.
    assert p[1, 0] == pytest.approx(0.4 - 0.36)
    p, v = coast(HallPhysics(HallGeometry()), (11.3, 0.3), (100.0, 100.0))
    assert p[0, 0] <= 11.4 + 1e-9
    assert p[1, 0] <= 0.4 + 1e-9
    assert v[0, 0] <= 0.0
    assert v[1, 0] <= 0.0


@pytest.mark.parametrize("halls", [3, 7])
def test_agrees_with_fine_sub_steps(halls):
    geometry = HallGeometry(halls, 3.0)
    positions, velocities = rollout(geometry, 40, 40, seed=1, hold=3)
    p, v = np.concatenate(positions[::4], axis=1), np.concatenate(velocities[::4], axis=1)
    force = np.random.default_rng(2).uniform(-1.0, 1.0, p.shape)
    found, found_v = HallPhysics(geometry).step(p, v, force)
    expected, expected_v = reference_step(geometry.walls, p.T, v.T, force.T, substeps=400)
    free = p + 0.01 * DAMPING * (v + 31.831 * force)
    assert (np.abs(found - free).max(axis=0) > 0.01).mean() > 0.1  # impacts are being compared
    errors = np.linalg.norm(found - expected.T, axis=0)
    # A sub-step moves up to 0.005; a grazed corner can turn that into a different bounce.
    assert np.quantile(errors, 0.98) < 0.01
    assert errors.mean() < 0.003
    speed_errors = np.linalg.norm(found_v - expected_v.T, axis=0)
    assert np.quantile(speed_errors, 0.95) < 1.0  # of up to 200


@pytest.mark.parametrize("halls", range(3, 13))
def test_no_disc_enters_a_wall_or_leaves(halls):
    geometry = HallGeometry(halls, 3.0)
    positions, _ = rollout(geometry, 50, 60, seed=halls, hold=7)
    points = positions.transpose(0, 2, 1).reshape(-1, 2)
    nearest = np.min([wall_distance(wall, points)[0] for wall in geometry.walls], axis=0)
    assert nearest.min() > AGENT_RADIUS - 1e-7
    assert nearest.min() < AGENT_RADIUS + 1e-6  # they do touch
    assert np.linalg.norm(points, axis=1).max() < geometry.goal_distance


def test_a_disc_does_not_depend_on_its_batch():
    geometry = HallGeometry(5, 4.0)
    physics, rng = HallPhysics(geometry), np.random.default_rng(3)
    p = v = np.zeros((2, 67))
    for _ in range(80):
        force = rng.uniform(-1.0, 1.0, (2, 67))
        together = physics.step(p, v, force)
        for part in (slice(0, 1), slice(1, 4), slice(4, 67)):
            alone = physics.step(p[:, part], v[:, part], force[:, part])
            assert np.array_equal(alone[0], together[0][:, part])
            assert np.array_equal(alone[1], together[1][:, part])
        p, v = together


# Box2D 2.3.10, 3000 episodes of 100 steps each: share of episodes that reach some hall's end, and
# entropy (nats) of the position in bins of width 1.0 and 0.5.
BOX2D = {
    ("uniform", 3, 10.0): (0.221, 3.892, 4.955),
    ("uniform", 5, 10.0): (0.230, 4.280, 5.418),
    ("uniform", 7, 10.0): (0.259, 4.575, 5.714),
    ("uniform", 3, 50.0): (0.000, 4.027, 5.091),
    ("constant", 3, 10.0): (0.752, 3.286, 3.727),
    ("constant", 5, 10.0): (0.810, 3.324, 3.901),
    ("constant", 7, 10.0): (0.832, 3.652, 4.023),
    ("constant", 3, 50.0): (0.625, 4.309, 4.973),
}


@pytest.mark.parametrize(("policy", "halls", "length"), BOX2D)
def test_statistics_agree_with_box2d(policy, halls, length):
    geometry = HallGeometry(halls, length)
    hold = 1 if policy == "uniform" else 100
    positions, _ = rollout(geometry, 3000, 100, seed=4, hold=hold)
    points = positions.transpose(2, 0, 1)  # (episodes, steps, 2)
    gaps = np.linalg.norm(points[:, :, None] - geometry.hall_ends, axis=-1)
    share, coarse, fine = BOX2D[policy, halls, length]
    # The standard error of a difference of two such shares is 0.011.
    assert (gaps < 0.5).any(axis=(1, 2)).mean() == pytest.approx(share, abs=0.045)
    for width, expected in ((1.0, coarse), (0.5, fine)):
        histogram = StateHistogram([width, width])
        histogram.add(points.reshape(-1, 2))
        assert entropy(histogram.counts) == pytest.approx(expected, abs=0.12)
