"""What a launch shows while it runs: a live table on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from expedition.platform.plan import Trial
from expedition.platform.schema import Metric
from expedition.platform.scores import summarise
from expedition.platform.store import DONE, FAILED, PENDING, RUNNING

LINES_EVERY_S = 30.0  # between summaries where there is no terminal
_REFRESH_PER_S = 2.0


@dataclass
class _Track:
    """What is known of one trial.

    The ``start_`` values are those at the start of this launch: a resumed trial's speed counts only
    what is made now. Seconds are the trial's own, so that a slow driver does not spoil the speed.
    """

    variant: str
    budget: int
    state: str = PENDING
    env_steps: int = 0
    seconds: float = 0.0
    start_steps: int = 0
    start_seconds: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Environment steps a second in this launch; 0 before the first result."""
        seconds = self.seconds - self.start_seconds
        return (self.env_steps - self.start_steps) / seconds if seconds > 0 else 0.0


class Progress:
    """Collects results of trials and shows them; safe to update from one thread.

    Args:
        title: What runs.
        metric: The headline metric.
        labels: Variant -> what figures call it.
        console: Where to show it.
        slots: Trials that run at the same time, for the estimate of the time left.
    """

    def __init__(
        self,
        title: str,
        metric: Metric,
        labels: Mapping[str, str],
        *,
        console: Console,
        slots: int,
    ) -> None:
        self._title = title
        self._metric = metric
        self._labels = dict(labels)
        self._console = console
        self._slots = slots
        self._tracks: dict[str, _Track] = {}
        self._expected = 0
        self._started = self._last_line = time.monotonic()
        self._lock = threading.Lock()
        self._live = Live(
            console=console,
            get_renderable=self.table,
            refresh_per_second=_REFRESH_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Start showing."""
        self._started = self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing; the last table stays."""
        if self._console.is_terminal:
            self._live.stop()

    def expect(self, trials: int) -> None:
        """Say how many trials there will be, where a sweep makes them up as it goes."""
        self._expected = trials

    def add(self, trial: Trial, state: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show a trial with what an earlier launch made of it."""
        steps = int(rows[-1]["env_steps"]) if rows else 0
        seconds = float(rows[-1].get("time/seconds") or 0.0) if rows else 0.0
        with self._lock:
            track = _Track(trial.variant, trial.budget, state, steps, seconds, steps, seconds)
            track.curve = [self._point(row) for row in rows if self._has_metric(row)]
            self._tracks[trial.id] = track

    def start(self, trial: Trial) -> None:
        """Show that a trial runs now."""
        with self._lock:
            self._track(trial).state = RUNNING

    def update(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Take in a result: a curated row with ``state``."""
        with self._lock:
            track = self._track(trial)
            track.env_steps = int(row.get("env_steps", track.env_steps))
            track.seconds = float(row.get("time/seconds", track.seconds))
            if self._has_metric(row):
                track.curve.append(self._point(row))
        if row["state"] in (DONE, FAILED):
            self.finish(trial, row["state"])
        elif time.monotonic() - self._last_line > LINES_EVERY_S:
            self._print_summary()

    def finish(self, trial: Trial, state: str) -> None:
        """Show that a trial ended."""
        with self._lock:
            track = self._track(trial)  # made here for a trial whose process died at its start
            track.state = state
            score, steps = self._score([track]), track.env_steps
        if not self._console.is_terminal:
            self._line(f"{trial.id} {state}: {steps:,} env steps, {self._metric.key} {score}")

    def _track(self, trial: Trial) -> _Track:
        return self._tracks.setdefault(trial.id, _Track(trial.variant, trial.budget))

    def say(self, message: str) -> None:
        """Print one line above the table."""
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.say(f"[{clock(self._last_line - self._started)}] {text}")

    def _print_summary(self) -> None:
        if self._console.is_terminal:
            return
        for variant in self._variants():
            tracks = self._of(variant)
            steps = sum(track.env_steps for track in tracks)
            total = sum(track.budget for track in tracks)
            counts = ", ".join(f"{n} {s}" for s, n in self._counts(tracks).items() if n)
            self._line(
                f"{variant}: {counts}; {steps:,}/{total:,} env steps, "
                f"{self._speed(tracks):,.0f}/s; {self._metric.key} {self._score(tracks)}"
            )
        self._line(f"time left about {self._time_left()}")

    def table(self) -> Table:
        """Render the state of the launch, one line a variant."""
        with self._lock:
            elapsed = clock(time.monotonic() - self._started)
            table = Table(
                title=f"{self._title}  {elapsed} elapsed, about {self._time_left()} left",
                title_justify="left",
                title_style="bold",
            )
            for name in ("variant", "done", "running", "failed", "trials", "env steps", "steps/s"):
                table.add_column(name, justify="left" if name == "variant" else "right")
            table.add_column(self._metric.axis_label, justify="right")
            for variant in self._variants():
                table.add_row(*self._cells(variant))
            return table

    def _cells(self, variant: str) -> list[str]:
        tracks = self._of(variant)
        counts = self._counts(tracks)
        steps = sum(track.env_steps for track in tracks)
        total = max(1, sum(track.budget for track in tracks))
        return [
            self._labels.get(variant, variant),
            str(counts[DONE]),
            str(counts[RUNNING]),
            f"[red]{counts[FAILED]}[/red]" if counts[FAILED] else "0",
            str(len(tracks)),
            f"{steps:,} ({100 * steps / total:.0f}%)",
            f"{self._speed(tracks):,.0f}",
            self._score(tracks),
        ]

    def _variants(self) -> list[str]:
        return list(dict.fromkeys(track.variant for track in self._tracks.values()))

    def _of(self, variant: str) -> list[_Track]:
        return [track for track in self._tracks.values() if track.variant == variant]

    @staticmethod
    def _counts(tracks: Sequence[_Track]) -> dict[str, int]:
        return {s: sum(t.state == s for t in tracks) for s in (DONE, RUNNING, FAILED, PENDING)}

    @staticmethod
    def _speed(tracks: Sequence[_Track]) -> float:
        return sum(track.speed for track in tracks if track.state == RUNNING)

    def _time_left(self) -> str:
        """Estimate from each variant's own speed: a random policy is no guide to a learner."""
        known = [track.speed for track in self._tracks.values() if track.speed > 0]
        if not known:
            return "?"
        mean = sum(known) / len(known)
        by_variant = {}
        for variant in self._variants():
            speeds = [track.speed for track in self._of(variant) if track.speed > 0]
            by_variant[variant] = sum(speeds) / len(speeds) if speeds else mean
        left = [
            max(0, track.budget - track.env_steps) / by_variant[track.variant]
            for track in self._tracks.values()
            if track.state in (PENDING, RUNNING)
        ]
        unseen = max(0, self._expected - len(self._tracks))
        budget = max((track.budget for track in self._tracks.values()), default=0)
        seconds = sum(left) + unseen * budget / mean
        return clock(max([seconds / self._slots, *left]))

    def _has_metric(self, row: Mapping[str, Any]) -> bool:
        return row.get(self._metric.key) is not None and "env_steps" in row

    def _point(self, row: Mapping[str, Any]) -> tuple[float, float]:
        return float(row["env_steps"]), float(row[self._metric.key])

    def _score(self, tracks: Sequence[_Track]) -> str:
        """Mean over trials of the headline metric so far."""
        curves = [np.array(track.curve).T for track in tracks if track.curve]
        if not curves:
            return "-"
        scores = [summarise(steps, values, self._metric.statistic) for steps, values in curves]
        return f"{sum(scores) / len(scores):.4g}"


def clock(seconds: float) -> str:
    """Write a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
