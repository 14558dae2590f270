"""Finding, resolving and checking experiments."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from synthetic import DATA

from expedition.platform import catalog, overrides, resolve
from expedition.platform.errors import UserError
from expedition.platform.resolve import Choices
from expedition.platform.spec import Experiment

SHIPPED = ["smm/fig2b", "smm/fig2c", "smm/fig5a"]


def load(*settings: str, target: str = "smm/fig2c", **choices: object) -> Experiment:
    chosen = [overrides.parse(text) for text in settings]
    return catalog.load(target, Choices(overrides=chosen, **choices))  # type: ignore[arg-type]


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    data = {key: value for key, value in DATA.items() if key not in {"name", "preset"}}
    data["presets"] = {"quick": {"budget": 100, "tasks": ["halls-3"]}, "paper": {}}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def test_shipped_experiments_are_listed() -> None:
    assert set(SHIPPED) <= set(catalog.names())
    entry = next(e for e in catalog.entries() if e.name == "smm/fig2c")
    assert (entry.figure, entry.title) == (
        "Fig. 2c",
        "Halls explored against the number of halls",
    )


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("preset", ["paper", "quick"])
def test_shipped_experiments_pass_every_check(name: str, preset: str) -> None:
    experiment = load(target=name, preset=preset)
    assert experiment.preset == preset
    assert len(experiment.seeds) >= 3  # a verdict needs three
    assert experiment.claims
    assert any(variant.reference for variant in experiment.variants.values())


def test_paper_preset_of_fig2c_is_the_papers() -> None:
    experiment = load(preset="paper")
    assert list(experiment.tasks) == ["halls-3", "halls-5", "halls-7"]
    assert (experiment.budget, experiment.seeds) == (100_000, (0, 1, 2, 3))
    settings = experiment.config_of("sm4-3")
    expected = {"hidden_sizes": [300, 300], "train_batch_size": 128, "reward_scale": 25}
    assert {key: settings[key] for key in expected} == expected
    assert [experiment.variants[f"sm4-{n}"].config["num_skills"] for n in (3, 5, 10)] == [3, 5, 10]


def test_default_preset_is_quick_and_lists_select() -> None:
    experiment = catalog.declared("smm/fig2c")
    assert experiment.preset == "quick"
    assert list(experiment.tasks) == ["halls-3", "halls-5"]
    assert list(experiment.variants) == ["sac", "smm", "sm4-3", "random"]
    assert experiment.config["hidden_sizes"] == [128, 128]
    assert experiment.config["gamma"] == 0.99


def test_common_settings_that_no_chosen_variant_has_are_not_mistakes() -> None:
    experiment = catalog.load("maesn/fig6_wheeled", Choices(preset="paper", variants=["maml-bias"]))
    assert list(experiment.variants) == ["maml-bias"]
    assert "kl_weight" not in experiment.config_of("maml-bias")  # of the methods with latents
    assert experiment.config_of("maml-bias")["max_kl"] == 0.01


def test_a_value_that_only_variants_left_out_refuse_is_taken() -> None:
    typed = (overrides.parse("config.evaluation_interval=25"),)
    choices = Choices(variants=["maesn"], overrides=typed)
    experiment = catalog.load("maesn/fig6_wheeled", choices)
    assert experiment.config_of("maesn")["evaluation_interval"] == 25
    with pytest.raises(UserError, match="with tasks > 0"):
        catalog.load("maesn/fig6_wheeled", Choices(variants=["maesn", "trpo"], overrides=typed))


def test_the_command_line_chooses_among_all_variants_in_the_files_order() -> None:
    choices = Choices(variants=["sm4-10", "sac"], tasks=["halls-7"], seeds=[7])
    experiment = catalog.declared("smm/fig2c", choices)
    assert list(experiment.variants) == ["sac", "sm4-10"]
    assert list(experiment.tasks) == ["halls-7"]
    assert experiment.seeds == (7,)


def test_own_file(own_file: Path) -> None:
    experiment = catalog.load(str(own_file))
    assert experiment.name == "smm/mine"
    assert experiment.budget == 100
    assert list(experiment.tasks) == ["halls-3"]


def test_file_without_presets_runs_as_it_is(own_file: Path) -> None:
    data = yaml.safe_load(own_file.read_text())
    del data["presets"]
    own_file.write_text(yaml.safe_dump(data))
    experiment = catalog.declared(str(own_file))
    assert (experiment.preset, experiment.budget) == (resolve.NO_PRESET, 20000)


def test_common_settings_go_to_the_algorithms_that_have_them() -> None:
    experiment = load("config.num_skills=2", "config.alpha=0.5")
    assert "num_skills" not in experiment.config_of("sac")
    assert experiment.config_of("smm")["num_skills"] == 2
    assert experiment.config_of("sm4-3")["num_skills"] == 2
    assert "alpha" not in experiment.config_of("random")
    assert experiment.config_of("sac")["alpha"] == 0.5
    # A random policy makes no updates, whatever the others make.
    assert "updates_per_step" not in experiment.config_of("random")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("env=expedition/Navgation-v0", "env: unknown environment"),
        ("env_config.hal_length=3", "did you mean 'hall_length'?"),
        ("tasks.halls-3.hals=1", "tasks.halls-3.hals: unknown expedition/Navigation-v0 setting"),
        ("tasks.halls-3.halls=1", "refuses its settings"),
        ("variants.smm.algorithm=smn", "unknown algorithm 'smn'; did you mean 'smm'?"),
        ("config.alfa=3", "config.alfa: unknown setting 'alfa'; did you mean 'alpha'?"),
        ("config.alpha=-3", "must be a number of at least 0"),
        ("variants.smm.config.num_skill=3", "unknown smm setting 'num_skill'; did you mean"),
        ("metrics.halls.key=coverage/hals_window", "did you mean 'coverage/halls_window'?"),
        ("metrics.halls.key=train/return", "did you mean 'train/return_mean'?"),
        ("search.alpa={uniform: [0, 1]}", "search.alpa: unknown setting 'alpa'; did you mean"),
        ("claims.0.metric=hall", "claims.0.metric: unknown metric 'hall'"),
        ("claims.0.variants=[smm, sax]", "unknown variant 'sax'; did you mean 'sac'?"),
        ("claims.0.tasks=[halls-4]", "unknown task 'halls-4'"),
        ("plots.0.metric=hall", "unknown metric 'hall'; did you mean 'halls'?"),
    ],
)
def test_names_outside_the_file_are_checked(setting: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load(setting)
    assert message in str(error.value).replace("--set ", "")


def test_learner_metrics_are_accepted_by_prefix() -> None:
    assert load("metrics.halls.key=learner/q_loss").metrics["halls"].key == "learner/q_loss"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (Choices(preset="papr"), "unknown preset 'papr'; did you mean 'paper'?"),
        (Choices(variants=["smn"]), "--variants: unknown variant 'smn'; did you mean 'smm'?"),
        (Choices(tasks=["halls-4"]), "--tasks: unknown task 'halls-4'"),
        (Choices(tasks=[]), "--tasks: must name at least one of"),
        (Choices(seeds=0), "--seeds: must be at least 1, not 0"),
    ],
)
def test_choices_are_checked(choices: Choices, message: str) -> None:
    with pytest.raises(UserError) as error:
        catalog.declared("smm/fig2c", choices)
    assert message in str(error.value)


def test_unknown_experiment_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown experiment 'smm/fig2'; did you mean 'smm/fig2"):
        catalog.declared("smm/fig2")
    with pytest.raises(UserError, match=r"nowhere\.yaml: no such file"):
        catalog.declared("nowhere.yaml")


def test_mistakes_name_file_and_line(own_file: Path) -> None:
    lines = own_file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, start=1) if line.startswith("budget"))
    own_file.write_text(own_file.read_text().replace("\nbudget: 20000", "\nbudgett: 20000"))
    with pytest.raises(UserError) as error:
        catalog.declared(str(own_file), Choices(preset="paper"))
    assert f"mine.yaml:{number}: budgett: unknown key" in str(error.value)


def test_a_mistake_in_a_preset_points_into_the_preset(own_file: Path) -> None:
    own_file.write_text(own_file.read_text().replace("    budget: 100\n", "    budget: -100\n"))
    with pytest.raises(UserError, match=r"mine\.yaml:\d+: presets\.quick\.budget: must be more"):
        catalog.declared(str(own_file))


def test_two_claims_of_one_id_are_refused() -> None:
    with pytest.raises(UserError, match="the id 'smm-beats-sac' is given twice"):
        catalog.declared(
            "smm/fig2c", Choices(overrides=[overrides.parse("claims.1.id=smm-beats-sac")])
        )


def test_a_mistake_in_a_claim_names_the_claim(own_file: Path) -> None:
    own_file.write_text(own_file.read_text().replace("variant: sac\n", "variant: sax\n"))
    with pytest.raises(UserError, match=r"mine\.yaml:\d+: claims\.sac-stays\.variant: unknown"):
        catalog.declared(str(own_file))
