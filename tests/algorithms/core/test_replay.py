import numpy as np
import pytest
import torch

from expedition.algorithms.core.replay import TransitionReplay, transition_layout


def transitions(first: int, count: int) -> dict[str, np.ndarray]:
    """Transitions whose every entry tells their number."""
    number = np.arange(first, first + count, dtype=np.float32)
    return {
        "obs": np.stack([number, number + 0.25], 1),
        "actions": number[:, None] + 0.5,
        "rewards": -number,
        "next_obs": np.stack([number + 1, number + 1.25], 1),
        "terminateds": number % 2 == 0,
        "truncateds": np.zeros(count, bool),
        "context": np.stack([number, number, number], 1),
    }


def replay(capacity: int, seed: int = 0) -> TransitionReplay:
    return TransitionReplay(capacity, transition_layout(2, 1, 3), seed=seed)


def test_batches_keep_the_columns_of_a_transition_together():
    buffer = replay(100)
    buffer.add(transitions(0, 60))
    batch = buffer.sample(500)
    number = batch["obs"][:, 0]
    assert batch["obs"].shape == (500, 2)
    assert batch["rewards"].shape == (500,)
    torch.testing.assert_close(batch["actions"][:, 0], number + 0.5)
    torch.testing.assert_close(batch["rewards"], -number)
    torch.testing.assert_close(batch["next_obs"][:, 1], number + 1.25)
    torch.testing.assert_close(batch["terminateds"], (number % 2 == 0).float())
    torch.testing.assert_close(batch["context"], number[:, None].expand(-1, 3))
    assert set(number.int().tolist()) == set(range(60))


@pytest.mark.parametrize("chunks", [[7, 7, 7], [10, 10], [3, 18], [25]])
def test_a_full_ring_holds_the_newest_transitions(chunks: list[int]):
    buffer = replay(10)
    added = 0
    for chunk in chunks:
        buffer.add(transitions(added, chunk))
        added += chunk
    newest = buffer.newest(10)["obs"][:, 0].tolist()
    assert len(buffer) == 10
    assert newest == list(range(added - 10, added))


def test_sampling_is_uniform():
    buffer = replay(50)
    buffer.add(transitions(0, 50))
    counts = torch.bincount(buffer.sample(50_000)["obs"][:, 0].long(), minlength=50)
    chi_square = ((counts - 1000.0) ** 2 / 1000.0).sum()
    assert chi_square < 100  # 49 degrees of freedom: the 0.9999 quantile is 97


def test_state_restores_rows_position_and_random_numbers():
    buffer = replay(10, seed=3)
    buffer.add(transitions(0, 14))
    buffer.sample(5)
    other = replay(10, seed=99)
    other.load_state_dict(buffer.state_dict())
    for ring in (buffer, other):
        ring.add(transitions(14, 3))
    first, second = buffer.sample(64), other.sample(64)
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_a_state_of_another_width_or_capacity_is_refused():
    buffer = replay(10)
    buffer.add(transitions(0, 5))
    with pytest.raises(ValueError, match="does not fit"):
        TransitionReplay(10, transition_layout(3, 1, 3)).load_state_dict(buffer.state_dict())
    with pytest.raises(ValueError, match="does not fit"):
        replay(4).load_state_dict(buffer.state_dict())


def test_sampling_from_an_empty_replay_says_what_to_do():
    with pytest.raises(ValueError, match="add transitions first"):
        replay(4).sample(1)
