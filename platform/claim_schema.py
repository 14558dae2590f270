"""A claim in an experiment's YAML file: what each key takes and means, kind by kind."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from expedition.platform.schema import Name, Strict

ClaimKind = Literal["order", "wins", "at_least", "at_most", "ratio", "reaches_before", "increases"]


class Claim(Strict):
    """A sentence of the paper as a test on the results; ``docs/experiments.md`` defines each kind.

    Attributes:
        id: Short name, unique in the experiment.
        says: The claim in words.
        kind: See :data:`ClaimKind`.
        metric: Name of the metric it is about.
        variants: ``order``: best first. ``wins``: the one that wins first. ``ratio``,
            ``reaches_before``: exactly two.
        variant: The one variant of ``at_least``, ``at_most`` and ``increases``.
        value: Bound of ``at_least``/``at_most``/``ratio``, threshold of ``reaches_before``, number
            of tasks of ``wins``.
        rank: ``wins``: among how many of the best it has to be.
        minus: ``at_least``, ``at_most``: metric taken off, seed by seed, so that two measures of
            one variant are compared.
        than: ``order`` of two: metric by which the second is measured, where it is not the first's.
        margin: ``order``, ``increases``: by how much at least, in the metric's unit.
        over: What ``increases`` runs along: environment steps or the tasks in their order.
        tasks: Tasks it is judged on; all when not given.
        paper: The paper's own words or numbers, shown beside ours.
        paper_values: The paper's numbers by variant, shown beside ours.
    """

    id: Name
    says: str
    kind: ClaimKind
    metric: str
    variants: tuple[str, ...] = ()
    variant: str | None = None
    value: float | None = None
    rank: int = Field(default=1, ge=1)
    minus: str | None = None
    than: str | None = None
    margin: float = Field(default=0.0, ge=0)
    over: Literal["env_steps", "tasks"] = "env_steps"
    tasks: tuple[str, ...] | None = None
    paper: str = ""
    paper_values: dict[str, float] = Field(default_factory=dict)

    _pairs: ClassVar[frozenset[str]] = frozenset({"ratio", "reaches_before"})
    _single: ClassVar[frozenset[str]] = frozenset({"at_least", "at_most", "increases"})

    @model_validator(mode="after")
    def _needs(self) -> Self:
        problem = self._problem()
        if problem:
            raise PydanticCustomError(
                "claim",
                "a claim of kind '{kind}' needs {problem}",
                {"kind": self.kind, "problem": problem},
            )
        return self

    def _problem(self) -> str:
        """Name what is missing or too much for this kind, or nothing."""
        if self.kind in self._single:
            if self.variant is None or self.variants:
                return "'variant' (one name) and no 'variants'"
        elif self.variant is not None:
            return "'variants' (a list) and no 'variant'"
        elif self.kind in self._pairs and len(self.variants) != 2:
            return "'variants' with exactly two names"
        elif len(set(self.variants)) < max(2, len(self.variants)):
            return "'variants' with two or more different names, best first"
        return self._problem_of_numbers()

    def _problem_of_numbers(self) -> str:
        """Name the number that is missing or too much for this kind, or nothing."""
        if self.margin and self.kind not in {"order", "increases"}:
            return "no 'margin'"
        if self.minus and self.kind not in {"at_least", "at_most"}:
            return "no 'minus'"
        if self.than and self.kind != "order":
            return "no 'than'"
        if self.than and len(self.variants) != 2:
            return "exactly two 'variants' with 'than'"
        if self.rank != 1 and self.kind != "wins":
            return "no 'rank'"
        if self.rank >= max(2, len(self.variants)):
            return "a 'rank' below the number of its variants"
        needs_value = self.kind in {"wins", "at_least", "at_most", "ratio", "reaches_before"}
        if needs_value and self.value is None:
            return "'value'"
        return "" if needs_value or self.value is None else "no 'value'"

    @property
    def named_variants(self) -> tuple[str, ...]:
        """Every variant the claim is about, in its order."""
        return self.variants if self.variant is None else (self.variant,)
