import numpy as np
import pytest

from expedition.envs.manipulation.layout import layout_of
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.reward import ManipulationReward
from expedition.envs.manipulation.table import is_left, is_off_table, is_right

FAR = np.array([[1.0, 1.0, 1.0]])


def terms(reward, block, gripper=FAR, action=(0.0, 0.0, 0.0, 0.0)):
    values = reward.terms(np.array([block]), np.array(gripper), np.array([action]))
    return {name: float(v[0]) for name, v in zip(reward.names, values, strict=True)}


@pytest.mark.parametrize(
    ("block", "table", "strict"),
    [
        ((1.3, 0.73, 0.4247), False, False),
        ((1.3, 0.73, 0.419), False, True),  # pressed into the table
        ((1.3, 0.73, 0.399), True, True),
        ((0.99, 0.73, 0.4247), True, True),
        ((1.61, 0.73, 0.4247), True, True),
        ((1.3, 0.339, 0.4247), True, True),
        ((1.3, 1.121, 0.4247), True, True),
        ((1.6, 1.12, 0.8), False, False),  # held above the corner
    ],
)
def test_both_fall_tests(block, table, strict):
    assert is_off_table(np.array(block), "table") == table
    assert is_off_table(np.array(block), "strict") == strict
    off = terms(ManipulationReward(fall_test="table"), block)["off_table"]
    assert off == (-20.0 if table else 0.0)


def test_an_untouched_block_is_on_neither_side_in_either_precision():
    for kind in (np.float32, np.float64):
        y = np.array([0.73, 0.7301, 0.7299], dtype=kind)
        for values in (y, y.astype(np.float64)):
            assert is_left(values).tolist() == [False, True, False]
            assert is_right(values).tolist() == [False, False, True]


def test_near_is_closer_than_a_tenth_of_a_metre_in_three_dimensions():
    reward, block = ManipulationReward(), (1.3, 0.73, 0.42)
    assert terms(reward, block, [[1.3, 0.73, 0.519]])["near"] == 1.0
    assert terms(reward, block, [[1.3, 0.73, 0.521]])["near"] == 0.0
    assert terms(reward, block, [[1.36, 0.79, 0.48]])["near"] == 0.0  # 0.104
    assert terms(ManipulationReward(near_weight=0.1), block, [[1.3, 0.7, 0.42]])["near"] == 0.1


def test_the_action_costs_a_tenth_of_its_squared_length():
    cost = terms(ManipulationReward(), (1.3, 0.73, 0.42), action=(1.0, -1.0, 0.5, 0.0))["action"]
    assert cost == pytest.approx(-0.1 * 2.25)
    rest = terms(ManipulationReward(), (1.3, 0.73, 0.42))["action"]
    assert rest == 0.0
    assert not np.signbit(rest)


def test_only_half_pays_for_the_left_side_and_only_on_the_table():
    assert ManipulationReward().names == ("off_table", "near", "action")
    half = ManipulationReward("half", side_weight=0.7)
    assert half.names == ("off_table", "near", "action", "side")
    assert terms(half, (1.3, 0.9, 0.4247))["side"] == 0.7
    assert terms(half, (1.3, 0.6, 0.4247))["side"] == 0.0
    assert terms(half, (1.3, 0.73, 0.4247))["side"] == 0.0
    assert terms(half, (1.3, 0.9, 0.1))["side"] == 0.0
    assert (ManipulationReward().left_log_weight, half.left_log_weight) == (0.0, 0.7)


def test_the_half_target_holds_the_logistic_share_on_the_left():
    for weight, left in ((1.0, 0.7310586), (0.1, 0.5249792), (0.0, 0.5)):
        share = SideTarget(weight).probabilities()
        assert share.shape == (78,)
        assert share.sum() == pytest.approx(1.0)
        assert share[39:].sum() == pytest.approx(left)
        assert share[39] == share[77]


def test_discrepancy_against_a_hand_count():
    target = SideTarget(1.0, bin_width=0.13)  # 6 bins: 3 right, 3 left
    assert target.bins == 6
    # Counts 1 0 0 | 2 0 1, and one more in each: 2 1 1 3 1 2 of 10.
    y = np.array([0.35, 0.73, 0.74, 1.12])
    share = np.array([2, 1, 1, 3, 1, 2]) / 10
    left = np.e / (1 + np.e)
    p = np.array([1 - left] * 3 + [left] * 3) / 3
    kl, tv = target.discrepancy(y)
    assert kl == pytest.approx(np.sum(p * np.log(p / share)))
    assert tv == pytest.approx(0.5 * np.abs(p - share).sum())


def test_samples_of_the_target_have_no_discrepancy():
    rng = np.random.default_rng(0)
    target = SideTarget(1.0)
    is_left_half = rng.random(200_000) < np.e / (1 + np.e)
    y = np.where(is_left_half, rng.uniform(0.73, 1.12, 200_000), rng.uniform(0.34, 0.73, 200_000))
    kl, tv = target.discrepancy(y)
    assert kl < 0.001
    assert tv < 0.02
    assert SideTarget(0.0).discrepancy(y)[1] == pytest.approx(0.231, abs=0.01)
    # Nothing on one side is infinitely far but for the count added: large and finite.
    assert 1.0 < target.discrepancy(y[y < 0.73])[0] < 20.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ManipulationReward("quarter"), "target must be one of uniform, half"),
        (lambda: ManipulationReward(fall_test="soft"), "fall_test must be one of table, strict"),
        (lambda: ManipulationReward(side_weight=np.inf), "side_weight must be finite, got inf"),
        (lambda: SideTarget(bin_width=0.0), "y_bin must be above 0 and at most 0.39, got 0.0"),
        (lambda: SideTarget(bin_width=0.5), "got 0.5"),
        (lambda: layout_of("tiny"), "observation must be one of full, paper, got 'tiny'"),
    ],
)
def test_arguments_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()
