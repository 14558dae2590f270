from pathlib import Path

import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expedition.algorithms.implicit_policy.imitation.sources import load
from expedition.algorithms.implicit_policy.imitation.trajectories import (
    DatasetError,
    Trajectories,
    pooled,
    read_parquet,
    write_parquet,
)

COLUMNS = ("observations", "actions", "rewards", "lengths", "finals")


def small() -> Trajectories:
    return Trajectories(
        observations=np.arange(10, dtype=np.float32).reshape(5, 2),
        actions=np.linspace(-1, 1, 5, dtype=np.float32)[:, None],
        rewards=np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        lengths=np.array([2, 3]),
        finals=np.array([[20.0, 21.0], [30.0, 31.0]], np.float32),
    )


def assert_equal(first: Trajectories, second: Trajectories) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


def test_a_parquet_file_gives_back_what_was_written(tmp_path: Path):
    write_parquet(small(), tmp_path / "new" / "some.parquet")
    assert_equal(read_parquet(tmp_path / "new" / "some.parquet"), small())
    table = pq.read_table(tmp_path / "new" / "some.parquet")
    assert table["episode"].to_pylist() == [0, 0, 1, 1, 1]
    assert table["step"].to_pylist() == [0, 1, 0, 1, 2]
    assert table["next_observation"].to_pylist() == [[2, 3], [20, 21], [6, 7], [8, 9], [30, 31]]


def test_a_file_of_others_needs_three_columns(tmp_path: Path):
    path = tmp_path / "theirs.parquet"
    kinds = pa.list_(pa.float64()), pa.list_(pa.float32(), 1)
    table = {
        "episode": pa.array([7, 7, 3]),
        "observation": pa.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], kinds[0]),
        "action": pa.array([[0.5], [-0.5], [0.25]], kinds[1]),
    }
    pq.write_table(pa.table(table), path)
    found = read_parquet(path)
    np.testing.assert_array_equal(found.lengths, [2, 1])
    np.testing.assert_array_equal(found.actions, [[0.5], [-0.5], [0.25]])
    np.testing.assert_array_equal(found.rewards, 0.0)
    assert np.isnan(found.finals).all()
    for name in table:
        rest = {key: value for key, value in table.items() if key != name}
        pq.write_table(pa.table(rest), path)
        with pytest.raises(DatasetError, match=f"no column {name}"):
            read_parquet(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": [[0.5], [0.1, 0.2], [0.3]]}, "column action must hold lists"),
        ({"observation": [1.0, 2.0, 3.0]}, "column observation must hold lists"),
        ({"episode": [0, 1, 0]}, "rows of an episode must follow"),
        ({"action": [[0.5], [float("nan")], [0.3]]}, "not finite"),
    ],
)
def test_a_file_that_is_unfit_is_refused(tmp_path: Path, change: dict, message: str):
    columns = {"episode": [0, 0, 1], "observation": [[1.0]] * 3, "action": [[0.0]] * 3}
    pq.write_table(pa.table(columns | change), tmp_path / "bad.parquet")
    with pytest.raises(DatasetError, match=message):
        read_parquet(tmp_path / "bad.parquet")


def test_episodes_are_counted_cut_and_pooled():
    np.testing.assert_array_equal(small().returns, [3.0, 28.0])
    first = small().first(1)
    assert (first.episodes, len(first.actions)) == (1, 2)
    assert_equal(pooled([first, small()]).first(1), first)
    assert pooled([first, small()]).episodes == 3
    other = Trajectories(
        np.ones((1, 3)), np.ones((1, 1)), np.ones(1), np.ones(1, int), np.ones((1, 3))
    )
    with pytest.raises(DatasetError, match=r"do not pool: \[\(2, 1\), \(3, 1\)\]"):
        pooled([small(), other])


def test_sources_are_experts_files_and_their_sums(tmp_path: Path):
    write_parquet(small(), tmp_path / "some.parquet")
    source = str(tmp_path / "some.parquet")
    assert load(f"{source}+{source}").episodes == 4
    assert load(f"{source} + {source}", episodes=1).episodes == 2
    with pytest.raises(DatasetError, match=r"did you mean 'swimmer_forward'"):
        load("swimer_forward")
    with pytest.raises(DatasetError, match="not a Parquet file"):
        load(str(tmp_path / "none.parquet"))


def test_the_walks_expert_ends_at_either_end():
    walks = load("imitation_1d", episodes=2000, seed=3)
    assert walks.episodes == 2000
    assert (walks.finals == 10).mean() == pytest.approx(0.5, abs=0.035)
    np.testing.assert_array_equal(walks.returns, 1.0)
    assert_equal(load("imitation_1d", episodes=2000, seed=3), walks)


def test_swimming_experts_go_their_ways():
    swims = load("swimmer_forward+swimmer_backward", episodes=1)
    np.testing.assert_array_equal(swims.lengths, 1000)
    assert np.abs(swims.actions).max() <= 1.0
    along = swims.observations[:, 3].reshape(2, 1000).sum(1) * 0.04
    np.testing.assert_array_equal(np.sign(along), [1, -1])
    assert (swims.returns > 3).all()  # each is paid for its own direction


def test_a_minari_dataset_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    from minari.data_collector import EpisodeBuffer

    env = gym.make("Pendulum-v1", max_episode_steps=20)
    env.action_space.seed(0)
    seen, buffers = [], []
    for seed in range(3):
        observations, actions = [env.reset(seed=seed)[0]], []
        for _ in range(20):
            actions.append(env.action_space.sample())
            observations.append(env.step(actions[-1])[0])
        seen += list(zip(observations, actions, strict=False))
        columns = {"observations": np.array(observations), "actions": np.array(actions)}
        ends = {"terminations": np.zeros(20, bool), "truncations": np.arange(20) == 19}
        rewards = np.arange(20.0)
        buffers.append(EpisodeBuffer(id=seed, rewards=rewards, infos={}, **columns, **ends))
    minari.create_dataset_from_buffers("pendulum/random-v0", buffers, env=env)
    found = load("minari:pendulum/random-v0")
    np.testing.assert_array_equal(found.lengths, [20, 20, 20])
    np.testing.assert_array_equal(found.returns, 190.0)
    np.testing.assert_allclose(found.observations, [pair[0] for pair in seen])
    np.testing.assert_allclose(found.actions, [pair[1] for pair in seen])
    np.testing.assert_allclose(found.finals[-1], observations[-1])
    assert load("minari:pendulum/random-v0", episodes=2).episodes == 2
    with pytest.raises(DatasetError, match="no Minari dataset 'none/there-v0'"):
        load("minari:none/there-v0")


def test_without_the_package_a_minari_dataset_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "minari", None)
    with pytest.raises(DatasetError, match=r"pip install 'expedition\[minari\]'"):
        load("minari:some/thing-v0")
