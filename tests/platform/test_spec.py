"""Models of an experiment: what is accepted, what is refused and in which words."""

from __future__ import annotations

import pytest
from synthetic import DATA, experiment

from expedition.platform import spec, yamlfile
from expedition.platform.errors import UserError
from expedition.platform.spec import deep_merge


def test_seed_count_becomes_seeds() -> None:
    assert experiment(seeds=3).seeds == (0, 1, 2)
    assert experiment(seeds=[5, 1]).seeds == (5, 1)


def test_resolved_settings_merge_common_and_own() -> None:
    declared = experiment()
    assert declared.config_of("sm4") == {
        "alpha": 1.0,
        "hidden_sizes": [128, 128],
        "num_skills": 3,
    }
    assert declared.env_config_of("halls-5") == {"hall_length": 10, "halls": 5}
    assert declared.trial_count == 2 * 4 * 4
    assert declared.headline[0] == "halls"
    assert declared.label("sm4") == "SM4 (N=3)"


def test_deep_merge_replaces_lists_and_shares_nothing() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    merged = deep_merge(base, {"a": {"y": [3]}, "b": {"z": 1}})
    assert merged == {"a": {"x": 1, "y": [3]}, "b": {"z": 1}}
    merged["a"]["x"] = 9
    assert base["a"] == {"x": 1, "y": [1, 2]}


def test_resolved_file_reads_back_equal(tmp_path) -> None:
    declared = experiment(
        config={"a": "1e-3", "b": 1e-7, "c": None, "d": "no", "e": {"f": [1, 2.5]}},
        claims=DATA["claims"],
    )
    file = tmp_path / "spec.yaml"
    file.write_text(spec.to_yaml(declared))
    assert spec.load_resolved(file) == declared
    assert spec.load_resolved(file).config["a"] == "1e-3"
    assert spec.load_resolved(file).config["c"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgett": 3}, "budgett: unknown key 'budgett'; did you mean 'budget'?"),
        ({"budget": 0}, "budget: must be more than 0, not 0"),
        ({"budget": "many"}, "budget: must be a whole number, not 'many'"),
        ({"seeds": 0}, "seeds: must be at least 1, not 0"),
        ({"seeds": -2}, "seeds: must be at least 1, not -2"),
        ({"seeds": []}, "seeds: must name at least one seed"),
        ({"seeds": [1, 1]}, "seeds: names a seed twice"),
        ({"seeds": [-1]}, "seeds: must be whole numbers, 0 or more"),
        ({"checkpoint_every": 0}, "checkpoint_every: must be more than 0, not 0"),
        ({"resources": {"cpus": 0}}, "resources.cpus: must be more than 0, not 0"),
        ({"variants": {}}, "variants: must not be empty, not {}"),
        ({"variants": {"a/b": {"algorithm": "sac"}}}, "variants.a/b: 'a/b' is not a name"),
        ({"variants": {"a": {"algorithm_name": "sac"}}}, "did you mean 'algorithm'?"),
        ({"variants": {"a": {}}}, "variants.a.algorithm: required, but not given"),
        (
            {"metrics": {"m": {"key": "k", "statistic": "lastt"}}},
            "metrics.m.statistic: unknown value 'lastt'; did you mean 'last'?",
        ),
        ({"plots": [{"kind": "heatmap"}]}, "a plot of kind 'heatmap' needs 'array'"),
        ({"search": {"alpha": {"logunif": [1, 2]}}}, "did you mean 'loguniform'?"),
        ({"search": {"alpha": {"uniform": [2, 1]}}}, "uniform needs [low, high] with low < high"),
        ({"search": {"alpha": {"loguniform": [0, 1]}}}, "loguniform needs low > 0"),
        ({"search": {"alpha": {"quniform": [0, 1]}}}, "quniform needs [low, high, step]"),
        ({"search": {"alpha": 3}}, "must be one distribution"),
    ],
)
def test_mistakes_are_one_line(changes: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        experiment(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"kind": "order", "variants": ["smm"]}, "'variants' with two or more"),
        ({"kind": "order", "variants": ["smm", "smm"]}, "'variants' with two or more"),
        ({"kind": "order", "variants": ["smm", "sac"], "value": 1}, "no 'value'"),
        ({"kind": "at_least", "variant": "smm"}, "'value'"),
        ({"kind": "at_most", "variants": ["smm"], "value": 1}, "'variant' (one name)"),
        ({"kind": "ratio", "variants": ["smm", "sac", "sm4"], "value": 1}, "exactly two"),
        ({"kind": "wins", "variants": ["smm", "sac"]}, "needs 'value'"),
        ({"kind": "wins", "variants": ["smm", "sac"], "value": 1, "rank": 2}, "'rank' below"),
        ({"kind": "order", "variants": ["smm", "sac", "sm4"], "rank": 2}, "no 'rank'"),
        ({"kind": "reaches_before", "variants": ["smm", "sac"]}, "'value'"),
        ({"kind": "at_least", "variant": "smm", "value": 1, "margin": 1}, "no 'margin'"),
        ({"kind": "at_least", "variant": "smm", "value": 1, "than": "halls"}, "no 'than'"),
        (
            {"kind": "order", "variants": ["smm", "sac", "random"], "than": "halls"},
            "exactly two 'variants' with 'than'",
        ),
        ({"kind": "order", "variant": "smm"}, "'variants' (a list)"),
    ],
)
def test_claims_need_what_their_kind_needs(changes: dict, needs: str) -> None:
    claim = {"id": "c", "says": "", "metric": "halls", **changes}
    with pytest.raises(UserError, match=r"claims\.0: a claim of kind") as error:
        experiment(claims=[claim])
    assert needs in str(error.value)


def test_several_mistakes_are_counted() -> None:
    with pytest.raises(UserError, match=r"\(and 1 more\)"):
        experiment(budget=0, seeds=0)


def test_yaml_numbers_and_words() -> None:
    document = yamlfile.parse("a: 1e-3\nb: 3.0E4\nc: no\nd: true\ne: .5\nf: 12\ng: on\n", "f")
    assert document.data == {
        "a": 1e-3,
        "b": 3e4,
        "c": "no",
        "d": True,
        "e": 0.5,
        "f": 12,
        "g": "on",
    }
    assert document.where(("d",)) == "f:4: d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "f.yaml:2: not valid YAML"),
        ("a: 1\na: 2\n", "f.yaml:2: a: given twice, first in line 1"),
        ("x: {a: 1, a: 2}\n", "f.yaml:1: x.a: given twice, first in line 1"),
        ("- 1\n", "f.yaml: the top level must be a mapping"),
        ("a: 1\n[b, c]: 2\n", "f.yaml:2: a key must be a word, not a list"),
        ("a: {{b: 1}: 2}\n", "f.yaml:1: a key must be a word, not a mapping"),
    ],
)
def test_broken_yaml_names_file_and_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        yamlfile.parse(text, "f.yaml")
    assert message in str(error.value)
