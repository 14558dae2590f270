"""Where trajectories come from, as one line of text."""

from pathlib import Path

from expedition.algorithms.core.hyperparameters import nearest
from expedition.algorithms.implicit_policy.imitation.experts import EXPERTS
from expedition.algorithms.implicit_policy.imitation.minari_dataset import read_minari
from expedition.algorithms.implicit_policy.imitation.trajectories import (
    DatasetError,
    Trajectories,
    pooled,
    read_parquet,
)

EXPERT_EPISODES = 100  # where nobody says how many
_MINARI = "minari:"


def load(sources: str, episodes: int | None = None, seed: int = 0) -> Trajectories:
    """Read or generate trajectories.

    Args:
        sources: Names of ``EXPERTS``, paths of Parquet files and ``minari:ID``, joined by ``+``;
            such as ``swimmer_forward+swimmer_backward``. What they give is pooled.
        episodes: Of each source; without, all that a dataset has and 100 of an expert.
        seed: Of the experts.

    Raises:
        DatasetError: If a source is unknown or unfit.
    """
    return pooled([_load_one(source.strip(), episodes, seed) for source in sources.split("+")])


def _load_one(source: str, episodes: int | None, seed: int) -> Trajectories:
    if source in EXPERTS:
        return EXPERTS[source](seed, EXPERT_EPISODES if episodes is None else episodes)
    if source.startswith(_MINARI):
        found = read_minari(source.removeprefix(_MINARI))
    elif source.endswith(".parquet"):
        found = read_parquet(Path(source))
    else:
        raise DatasetError(
            f"'{source}' is neither an expert ({', '.join(EXPERTS)}) nor a file FILE.parquet nor "
            f"minari:ID{nearest(source, EXPERTS)}"
        )
    return found if episodes is None else found.first(episodes)
