"""How the block and the gripper are moved about: entropies, the target, goals that were found."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates, StateHistogram, corrected_entropy, entropy
from expedition.envs.manipulation.goals import (
    GOALS,
    RECENT_EPISODES,
    EpisodeLog,
    episodes_to_find,
    episodes_to_find_in_order,
    found_in_order,
    found_within,
    goal_positions,
    goals_reached,
)
from expedition.envs.manipulation.layout import StateLayout
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.table import (
    TABLE_HIGH,
    TABLE_LOW,
    FallTest,
    is_left,
    is_off_table,
    is_right,
)

BIN = 0.05  # metres; of the entropies and of the map of visits
FOUND_WITHIN = (1, 5, 10, 20, 25, 50, 100)  # episodes, of the metrics goals_found_<episodes>

_MAX_CELL = 2**19  # so that three cell indices fit into 63 bits


class ManipulationTracker:
    """Coverage tracker of the manipulation tasks.

    Metrics. Entropies are plug-in estimates in nats over the last ``window_steps`` states, in cubes
    of 0.05 m; sides and target refer to those of these states whose block is on the table:

    - ``block_entropy``, ``gripper_entropy``: of the position in three dimensions.
    - ``block_entropy_corrected``, ``gripper_entropy_corrected``: with the Miller-Madow correction.
    - ``state_entropy``: the sum of the first two.
    - ``left_mass``, ``right_mass``: shares of states with the block left and right of the centre; a
      block that was never touched is on neither side.
    - ``target_kl``, ``target_tv``: KL(p*, rho) in nats and total variation between the target's
      and the block's distribution along y, see :class:`SideTarget`.
    - ``goals_found_1`` to ``goals_found_100``: expected share of 2000 fixed goals that the first
      so many of the last 100 episodes find, in a random order. A goal is found when the block comes
      closer than 0.1 m. With fewer episodes than asked for, all of them count. Of a sequence
      (:meth:`start_sequence`) the first 100 episodes are scored, in their order.
    - ``off_table``: share of the last 100 episodes that ended with the block off the table.

    Trackers that saw disjoint experience merge: "last" then means the last of each, and the window
    is shared between them, so that entropies have one sample size. No metric depends on the order
    of merging. Episodes that are still open stay with the tracker that saw them begin.

    Args:
        layout: Where states hold the positions.
        fall_test: When the block counts as off the table.
        target: The target's distribution along y.
        window_steps: Number of recent states.

    Raises:
        ValueError: If ``window_steps`` is not positive.
    """

    def __init__(
        self,
        layout: StateLayout,
        fall_test: FallTest,
        target: SideTarget,
        window_steps: int = 5_000,
    ) -> None:
        if window_steps < 1:
            raise ValueError(f"window_steps must be at least 1, got {window_steps}")
        self._settings = (layout, fall_test, target, window_steps)
        self._columns = [*range(layout.block, layout.block + 3)]
        self._columns += range(layout.gripper, layout.gripper + 3)
        self._fall_test, self._target = fall_test, target
        self._visits = StateHistogram([BIN, BIN])
        self._recent = RecentStates(window_steps, dimensions=6)
        self._logs = [EpisodeLog()]  # this tracker's own, then the merged ones
        self._open = np.zeros((0, GOALS), dtype=bool)  # goals reached in each copy's open episode
        self._open_steps = np.zeros(0, dtype=np.int64)
        self._is_sequence = False

    def start_sequence(self) -> None:
        """Score goals by the order of the episodes to come; see :class:`SequenceTracker`."""
        self._is_sequence = True
        self._logs[0].start_sequence()

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n copies of the environment.

        Args:
            states: Observations reached, shape (T, n, size of the layout).
            ends: Whether the step ended its episode, shape (T, n).

        Raises:
            ValueError: If the shapes do not fit, or n is not that of episodes begun before.
        """
        states, ends = np.asarray(states), np.asarray(ends, dtype=bool)
        size = self._settings[0].size
        if states.shape != (*ends.shape, size) or ends.ndim != 2:
            raise ValueError(
                f"expected states (T, n, {size}) and ends (T, n), got {states.shape} "
                f"and {ends.shape}"
            )
        positions = states[..., self._columns].astype(np.float64)
        flat = positions.reshape(-1, 6)
        self._visits.add(flat[:, :2])
        self._recent.add(flat)
        self._fit(ends.shape[1])
        if len(ends):
            self._follow(positions[..., :3], ends)

    def merge(self, other: ManipulationTracker) -> None:
        """Add what another tracker saw of the same task.

        Raises:
            ValueError: If it measures otherwise.
        """
        if other._settings != self._settings:
            raise ValueError(f"cannot merge a tracker of {other._settings} into {self._settings}")
        self._visits.merge(other._visits)
        self._recent.merge(other._recent)
        # Shallow copies do: logs replace their arrays and never write into them.
        self._logs.extend(copy.copy(log) for log in other._logs)

    def metrics(self) -> dict[str, float]:
        """Evaluate all metrics of the class docstring."""
        recent = self._recent.states()
        block = recent[:, :3]
        block_counts, gripper_counts = _cell_counts(block), _cell_counts(recent[:, 3:])
        block_entropy, gripper_entropy = entropy(block_counts), entropy(gripper_counts)
        y = block[~is_off_table(block, self._fall_test), 1]
        kl, tv = self._target.discrepancy(y)
        found, _ = self._goals()
        return {
            "block_entropy": block_entropy,
            "gripper_entropy": gripper_entropy,
            "block_entropy_corrected": corrected_entropy(block_counts),
            "gripper_entropy_corrected": corrected_entropy(gripper_counts),
            "state_entropy": block_entropy + gripper_entropy,
            "left_mass": float(is_left(y).sum()) / max(len(y), 1),
            "right_mass": float(is_right(y).sum()) / max(len(y), 1),
            "target_kl": kl,
            "target_tv": tv,
            **{f"goals_found_{n}": float(found[n]) for n in FOUND_WITHIN},
            "off_table": sum(log.falls for log in self._logs) / max(self._episodes(), 1),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Where the block has been and which goals it would have found.

        Returns:
            ``visits`` (nx, ny): counts of the block's position, all steps, in squares of 0.05 m;
            ``x_edges``, ``y_edges``; ``goals`` (2000, 2), metres; ``goal_episodes`` (2000,):
            expected episodes until each was found, 100 if none found it; ``goals_found`` (101,):
            expected share found within 0 to 100 episodes.
        """
        x_edges, y_edges = self._visits.edges(TABLE_LOW, TABLE_HIGH)
        found, places = self._goals()
        return {
            "visits": self._visits.dense(TABLE_LOW, TABLE_HIGH),
            "x_edges": x_edges,
            "y_edges": y_edges,
            "goals": goal_positions()[:, :2].copy(),
            "goal_episodes": places,
            "goals_found": found,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {
            "visits": self._visits.state_dict(),
            "recent": self._recent.state_dict(),
            "logs": [log.state_dict() for log in self._logs],
            "open": np.packbits(self._open, axis=1),
            "open_steps": self._open_steps.copy(),
            "is_sequence": self._is_sequence,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same task."""
        self._visits.load_state_dict(state["visits"])
        self._recent.load_state_dict(state["recent"])
        self._logs = [EpisodeLog() for _ in state["logs"]]
        if state.get("is_sequence", False):  # not in older checkpoints
            self.start_sequence()
        for log, log_state in zip(self._logs, state["logs"], strict=True):
            log.load_state_dict(log_state)
        self._open_steps = np.array(state["open_steps"], dtype=np.int64)
        # The width is named: before the first step there are no rows to tell it from.
        packed = np.array(state["open"], dtype=np.uint8).reshape(-1, -(-GOALS // 8))
        self._open = np.unpackbits(packed, axis=1, count=GOALS).astype(bool)

    def _episodes(self) -> int:
        return sum(len(log) for log in self._logs)

    def _goals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share of goals found within 0 to 100 episodes, and episodes until each is found."""
        if self._is_sequence:
            reached = [log.reached for log in self._logs]
            found = np.mean([found_in_order(r, RECENT_EPISODES) for r in reached], axis=0)
            return found, np.mean([episodes_to_find_in_order(r) for r in reached], axis=0)
        hits, episodes = np.sum([log.hits for log in self._logs], axis=0), self._episodes()
        return found_within(hits, episodes, RECENT_EPISODES), episodes_to_find(hits, episodes)

    def _fit(self, copies: int) -> None:
        """Make room for the copies on first use."""
        if copies != len(self._open_steps):
            if self._open_steps.any():
                raise ValueError(
                    f"episodes of {len(self._open_steps)} environment copies are open, "
                    f"got states of {copies}"
                )
            self._open = np.zeros((copies, GOALS), dtype=bool)
            self._open_steps = np.zeros(copies, dtype=np.int64)

    def _follow(self, block: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
        """Carry on the open episodes by (T, n) steps and log those that end, in their order."""
        steps, copies = ends.shape
        # Stretches between ends, copy by copy.
        starts = np.ones((copies, steps), dtype=bool)
        starts[:, 1:] = ends.T[:, :-1]
        by_copy = np.ascontiguousarray(block.transpose(1, 0, 2)).reshape(-1, 3)
        reached = goals_reached(by_copy, starts.ravel())
        stretch_copy, begin = np.nonzero(starts)
        last = np.append(begin[1:], 0) - 1
        last[np.append(np.diff(stretch_copy), 1) > 0] = steps - 1
        closed = []
        for row, (i, t) in enumerate(zip(stretch_copy.tolist(), last.tolist(), strict=True)):
            self._open[i] |= reached[row]
            self._open_steps[i] += t - begin[row] + 1
            if ends[t, i]:
                closed.append((t, i, self._open[i].copy()))
                self._open[i], self._open_steps[i] = False, 0
        for t, i, goals in sorted(closed, key=lambda episode: episode[:2]):
            fell = is_off_table(block[t, i], self._fall_test)
            self._logs[0].append(goals, bool(fell))


def _cell_counts(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of positions (N, 3) in each occupied cube."""
    if not len(positions):
        return np.zeros(0, dtype=np.int64)
    cells = np.floor(positions / BIN).clip(-_MAX_CELL, _MAX_CELL).astype(np.int64)
    cells -= cells.min(axis=0)
    flat = np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))
    return np.unique(flat, return_counts=True)[1]
