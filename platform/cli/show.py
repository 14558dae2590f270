"""Commands that look things up: ``list`` and ``show``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from expedition.platform.errors import UserError, nearest, unknown

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command-line application."""
    app.command("list")(list_)
    app.command()(show)


def list_(
    kind: Annotated[
        str | None, typer.Argument(help="methods, envs or experiments; all if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List methods, environments and experiments."""
    if kind is not None and kind not in _LISTINGS:
        raise unknown("listing", kind, _LISTINGS)
    kinds = [kind] if kind else list(_LISTINGS)
    listings = {name: _LISTINGS[name]() for name in kinds}
    if as_json:
        typer.echo(json.dumps(listings[kind] if kind else listings, indent=2))
        return
    for name, rows in listings.items():
        if not kind:
            typer.secho(name, bold=True)
        _print_rows([tuple(row.values()) for row in rows])
        if not kind:
            typer.echo()


def show(
    name: Annotated[
        str, typer.Argument(help="Experiment (smm/fig2c), YAML file, or method (smm).")
    ],
    preset: Annotated[
        str | None,
        typer.Option(help="Check one preset in full and print it as it would run, as YAML."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show an experiment's variants, presets and claims, or a method's hyperparameters."""
    from expedition.algorithms import registry
    from expedition.platform import catalog

    if name in registry.names():
        _show_method(name, as_json)
    elif preset is not None:
        _show_resolved(name, preset, as_json)
    elif name in catalog.names() or name.endswith(catalog.SUFFIXES):
        _show_experiment(name, as_json)
    else:
        valid = [*catalog.names(), *registry.names()]
        raise UserError(f"no experiment or method '{name}'{nearest(name, valid)}")


def _methods() -> list[dict[str, str]]:
    from expedition.algorithms import registry

    return [{"name": name, "about": registry.describe(name)} for name in registry.names()]


def _envs() -> list[dict[str, str]]:
    import gymnasium

    import expedition.envs  # noqa: F401 - registers the ids

    ids = sorted(env_id for env_id in gymnasium.registry if env_id.startswith("expedition/"))
    return [{"name": i, "about": _first_line(gymnasium.spec(i).entry_point)} for i in ids]


def _first_line(entry_point: Any) -> str:
    """Return the first line of an environment class's docstring."""
    from gymnasium.envs.registration import load_env_creator

    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    return (creator.__doc__ or "").strip().partition("\n")[0]


def _experiments() -> list[dict[str, str]]:
    from expedition.platform import catalog

    return [asdict(entry) for entry in catalog.entries()]


_LISTINGS = {"methods": _methods, "envs": _envs, "experiments": _experiments}


def _print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the last may be long and is not cut when the output is a file."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo(f"  {'  '.join(cells)}".rstrip())


def _show_method(name: str, as_json: bool) -> None:
    from expedition.algorithms import registry

    declare = getattr(registry.config_class(name), "hyperparameters", None)
    declared = declare() if declare else {}
    if as_json:
        settings = {
            key: {"default": h.default, "help": h.help, "source": getattr(h, "source", "")}
            for key, h in declared.items()
        }
        content = {"name": name, "about": registry.describe(name), "hyperparameters": settings}
        typer.echo(json.dumps(content, indent=2, default=str))
        return
    typer.echo(f"{name}: {registry.describe(name)}\n")
    rows = [
        (key, _yaml(h.default), h.help, getattr(h, "source", "")) for key, h in declared.items()
    ]
    _print_table(("setting", "default", "what it does", "source"), rows)
    typer.echo(
        "\nRLlib's own settings are taken as well (evaluation_interval, num_env_runners, ...)."
    )


def _show_resolved(name: str, preset: str, as_json: bool) -> None:
    from expedition.platform import catalog, spec
    from expedition.platform.resolve import Choices

    experiment = catalog.load(name, Choices(preset=preset))
    if as_json:
        typer.echo(json.dumps(experiment.model_dump(mode="json"), indent=2))
    else:
        typer.echo(spec.to_yaml(experiment), nl=False)


def _show_experiment(target: str, as_json: bool) -> None:
    from expedition.platform import catalog
    from expedition.platform.resolve import NO_PRESET, Choices, presets

    name, document = catalog.open_document(target)
    names = list(presets(document)) or [NO_PRESET]
    resolved = {key: catalog.declared(target, Choices(preset=key)) for key in names}
    base = catalog.declared(target, Choices(preset=NO_PRESET))
    rows = [_preset_row(key, experiment) for key, experiment in resolved.items()]
    if as_json:
        content = base.model_dump(mode="json", exclude={"preset", "name"})
        typer.echo(json.dumps({"name": name, **content, "presets": rows}, indent=2))
        return
    typer.secho(f"{name} · {base.figure} · {base.title}", bold=True)
    if base.description:
        typer.echo(f"\n{textwrap.fill(base.description, 96)}")
    typer.echo(f"\nenvironment  {base.env}\n")
    _print_table(
        ("variant", "label", "algorithm", "own settings"),
        [
            (key, v.label, v.algorithm + (" (reference)" if v.reference else ""), _flow(v.config))
            for key, v in base.variants.items()
        ],
    )
    typer.echo()
    _print_table(
        ("preset", "tasks", "variants", "seeds", "trials", "steps a trial", "steps"),
        [
            (
                row["preset"],
                ", ".join(row["tasks"]),
                ", ".join(row["variants"]),
                str(len(row["seeds"])),
                str(row["trials"]),
                f"{row['budget']:,}",
                f"{row['env_steps']:,}",
            )
            for row in rows
        ],
    )
    typer.echo()
    _print_table(
        ("metric", "key", "statistic"),
        [(key, m.key, m.statistic.replace("_", " ")) for key, m in base.metrics.items()],
    )
    if base.claims:
        typer.echo()
        claims = [(c.id, c.says, c.kind.replace("_", " "), c.paper) for c in base.claims]
        _print_table(("claim", "says", "kind", "the paper"), claims)
    typer.echo(
        f"\nexpedition run {target}   (the settings in full: expedition show {target} "
        f"--preset {names[-1]})"
    )


def _preset_row(name: str, experiment: Any) -> dict[str, Any]:
    return {
        "preset": name,
        "tasks": list(experiment.tasks),
        "variants": list(experiment.variants),
        "seeds": list(experiment.seeds),
        "trials": experiment.trial_count,
        "budget": max(map(experiment.budget_of, experiment.variants)),
        "env_steps": experiment.env_steps,
    }


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table that wraps to the terminal; at its natural width into a file or pipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        *columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold"
    )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(table)


def _flow(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {_yaml(value)}" for key, value in settings.items())


def _yaml(value: Any) -> str:
    from expedition.platform.tables import setting

    return setting(value)
