"""The files for Kubernetes, Slurm, AWS and Docker hold what those read, and call what exists."""

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts import symmetric_run
from ray.scripts.scripts import cli as ray_cli

from expedition.cluster import local
from expedition.platform import catalog
from expedition.platform.cli.app import app
from expedition.platform.resolve import Choices
from expedition.platform.spec import deep_merge

ROOT = Path(__file__).parents[2]
KUBERAY, SLURM = ROOT / "cluster/kuberay", ROOT / "cluster/slurm"
AWS, DOCKERFILE = ROOT / "cluster/cloud/aws.yaml", ROOT / "cluster/Dockerfile"
SCHEMA = yaml.safe_load((Path(__file__).parent / "kuberay_schema.yaml").read_text())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
)

# Stands in for a program: writes down how it was called. srun goes on to call what it was given.
_STUB = """#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
case ${0##*/} in
    scontrol) printf 'node-a\\nnode-b\\nnode-c\\n' ;;
    hostname) echo "10.0.0.7 fe80::1" ;;
    srun)
        while [[ $1 == --* ]]; do shift; done
        exec "$@" ;;
    expedition) [[ $* != *broken* ]] ;;
esac
"""


def manifest(name):
    return yaml.safe_load((KUBERAY / name).read_text())


def durable():
    return deep_merge(manifest("raycluster.yaml"), manifest("durable-head.yaml"))


def cluster_of(document):
    return document["spec"].get("rayClusterSpec", document["spec"])


def groups_of(document):
    cluster = cluster_of(document)
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def parse_ray(words):
    """Parse a Ray command line with Ray's own parser; raise on what it does not know."""
    command, *arguments = words
    if command == "symmetric-run":
        cut = arguments.index("--")
        own = arguments[:cut]
        symmetric_run.symmetric_run.make_context(command, list(own))
        rest = symmetric_run.curate_and_validate_ray_start_args(own)
        return ray_cli.commands["start"].make_context("start", list(rest)).params
    return ray_cli.commands[command].make_context(command, list(arguments)).params


def parse_expedition(words):
    command, *arguments = words
    commands = typer.main.get_command(app).commands
    with commands[command].make_context(command, list(arguments)) as context:
        return dict(context.params)


CLUSTERS = pytest.mark.parametrize("name", ["raycluster.yaml", "rayjob.yaml", "durable"])


def read(name):
    return durable() if name == "durable" else manifest(name)


@CLUSTERS
def test_kuberay_knows_every_field(name):
    jsonschema.validate(read(name), SCHEMA)


def test_the_schema_refuses_a_field_that_kuberay_would_drop():
    document = manifest("raycluster.yaml")
    document["spec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.validate(document, SCHEMA)


@CLUSTERS
def test_kuberay_start_parameters_are_options_of_ray_start(name):
    known = {option for p in ray_cli.commands["start"].params for option in p.opts}
    given = {f"--{key}" for group in groups_of(read(name)) for key in group["rayStartParams"]}
    assert given == {"--dashboard-host", "--num-cpus"}
    assert given <= known


@CLUSTERS
def test_every_pod_sees_the_claimed_results_folder_and_the_ray_that_is_pinned(name):
    document = read(name)
    assert cluster_of(document)["rayVersion"] == PINS["ray"]
    claim = manifest("results.yaml")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for group in groups_of(document):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["volumeMounts"] == [{"name": "results", "mountPath": "/results"}]
        claimed = {"claimName": claim["metadata"]["name"]}
        assert pod["volumes"] == [{"name": "results", "persistentVolumeClaim": claimed}]
        assert container["image"].rpartition(":")[2] == PYPROJECT["project"]["version"]
        # What Ray may use is what the pod may use.
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_a_ray_job_that_is_retried_resumes_its_run():
    spec = manifest("rayjob.yaml")["spec"]
    program, *words = shlex.split(spec["entrypoint"])
    settings = parse_expedition(words)
    assert (program, words[0], spec["backoffLimit"]) == ("expedition", "run", 3)
    assert settings["resume"]
    assert settings["name"] == "smm-fig2c-quick"
    assert (str(settings["results"]), settings["address"]) == ("/results", "auto")
    found = catalog.load(settings["experiment"], Choices(preset=settings["preset"]))
    assert found.name == "smm/fig2c"


def test_a_durable_head_finds_its_redis_and_password():
    service, store = yaml.safe_load_all((KUBERAY / "redis.yaml").read_text())
    options = durable()["spec"]["gcsFaultToleranceOptions"]
    port = service["spec"]["ports"][0]["port"]
    assert options["redisAddress"] == f"{service['metadata']['name']}:{port}"
    (container,) = store["spec"]["template"]["spec"]["containers"]
    assert container["env"][0]["valueFrom"] == options["redisPassword"]["valueFrom"]
    assert service["spec"]["selector"] == store["spec"]["template"]["metadata"]["labels"]


def test_the_kustomization_lists_files_that_are_there():
    listed = manifest("kustomization.yaml")
    files = [*listed["resources"], *(patch["path"] for patch in listed["patches"])]
    assert all((KUBERAY / file).is_file() for file in files)


@pytest.fixture
def slurm(tmp_path):
    """Runs a batch script among programs that write down how they are called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("scontrol", "srun", "ray", "hostname", "expedition"):
        (programs / name).write_text(_STUB)
        (programs / name).chmod(0o755)

    def run(script, *arguments):
        calls = tmp_path / "calls"
        environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls),
            "HOME": "/home/me", "SLURM_JOB_NODELIST": "node-[a-c]", "SLURM_JOB_NUM_NODES": "3",
            "SLURM_CPUS_PER_TASK": "16",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", str(SLURM / script), *arguments],
            env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        lines = calls.read_text().splitlines() if calls.exists() else []
        return done, [shlex.split(line) for line in lines]

    return run


def called(calls, program):
    return [words for name, *words in calls if name == program]


@pytest.mark.parametrize("script", ["symmetric.sbatch", "steps.sbatch"])
def test_a_batch_script_is_bash_and_asks_before_its_first_command(script):
    subprocess.run(["bash", "-n", str(SLURM / script)], check=True)
    lines = (SLURM / script).read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line and not line.startswith("#"))
    # Slurm reads no directive after the first command.
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]
    assert {"#SBATCH --requeue", "#SBATCH --exclusive"} <= set(lines[:first])


@pytest.mark.parametrize("script", ["symmetric.sbatch", "steps.sbatch"])
def test_a_batch_script_without_an_experiment_starts_nothing(slurm, script):
    done, calls = slurm(script)
    assert done.returncode != 0
    assert "usage: sbatch" in done.stderr
    assert calls == []


def test_symmetric_run_is_called_as_ray_and_expedition_read_it(slurm):
    done, calls = slurm("symmetric.sbatch", "smm/fig2c", "--preset", "paper")
    assert done.returncode == 0, done.stderr
    token, symmetric = called(calls, "ray")
    assert token == ["get-auth-token", "--generate"]
    settings = parse_ray(symmetric)
    assert (settings["num_cpus"], settings["num_gpus"]) == (16, 0)
    cut = symmetric.index("--")
    assert symmetric[:5] == ["symmetric-run", "--address", "10.0.0.7:6379", "--min-nodes", "3"]
    program, *words = symmetric[cut + 1 :]
    assert program == "expedition"
    wanted = parse_expedition(words)
    assert (wanted["experiment"], wanted["preset"]) == ("smm/fig2c", "paper")
    assert (wanted["name"], wanted["address"], wanted["resume"]) == ("smm-fig2c", "auto", True)
    assert str(wanted["results"]) == "/home/me/expedition-results"


def test_steps_start_a_head_and_a_worker_a_node_and_run_every_experiment(slurm):
    done, calls = slurm("steps.sbatch", "smm/fig2c", "smm/broken", "smm/fig2d")
    assert done.returncode == 1  # one of them failed, and the next one still ran
    starts = [words for words in called(calls, "ray") if words[0] == "start"]
    parsed = [parse_ray(words) for words in starts]
    assert sum(settings["head"] for settings in parsed) == 1
    assert [settings["block"] for settings in parsed] == [True] * 3
    assert {settings["address"] for settings in parsed if not settings["head"]} == {"10.0.0.7:6379"}
    nodes = [word for words in called(calls, "srun") for word in words if "nodelist" in word]
    assert sorted(nodes) == [
        "--nodelist=node-a", "--nodelist=node-a", "--nodelist=node-b", "--nodelist=node-c",
    ]  # fmt: skip
    runs = [parse_expedition(words) for words in called(calls, "expedition")]
    assert [run["name"] for run in runs] == ["smm-fig2c", "smm-broken", "smm-fig2d"]
    assert all(run["resume"] for run in runs)


def test_ray_up_accepts_the_cloud_file():
    document = yaml.safe_load(AWS.read_text())
    filled = prepare_config(document)
    validate_config(filled)
    assert filled["docker"]["image"].endswith(f":{PYPROJECT['project']['version']}")
    # Nothing of Ray's defaults is left that would install another Ray.
    commands = [
        command for key in filled if key.endswith("setup_commands") for command in filled[key]
    ]
    assert commands == ["pip install --quiet boto3"]


def test_the_commands_of_the_cloud_file_are_rays():
    document = yaml.safe_load(AWS.read_text())
    lines = [*document["head_start_ray_commands"], *document["worker_start_ray_commands"]]
    parsed = [parse_ray(shlex.split(line)[1:]) for line in lines]
    assert [settings.get("head") for settings in parsed] == [None, True, None, False]


@pytest.mark.parametrize("field", ["max_worker", "idle_timeout"])
def test_ray_up_refuses_a_misspelt_field(field):
    document = prepare_config(yaml.safe_load(AWS.read_text()))
    with pytest.raises(jsonschema.ValidationError, match=field):
        validate_config({**document, field: 3})


def test_the_image_pins_what_the_constraints_pin():
    text = DOCKERFILE.read_text()
    pins = re.findall(r"([A-Za-z0-9_-]+)(?:\[[a-z,]+\])?==([0-9.]+)", text)
    assert {name for name, _ in pins} == {"ray", "torch", "gymnasium", "mujoco", "mlflow"}
    assert all(PINS[name] == version for name, version in pins)
    installs = re.findall(r"pip install [^\n]*(?:\\\n[^\n]*)*", text)
    assert len(installs) == 3
    assert all("-c /src/constraints.txt" in line for line in installs[1:])


def test_the_image_bounds_what_the_local_cluster_bounds():
    set_by_image = dict(re.findall(r"\b(RAY_\w+)=(\d+)", DOCKERFILE.read_text()))
    assert {name: int(value) for name, value in set_by_image.items() if name in local.BOUNDS} == {
        **{name: int(value) for name, value in local.BOUNDS.items()},
        "RAY_task_events_max_num_task_in_gcs": 10_000,
    }


def test_the_image_holds_the_whole_package():
    text = DOCKERFILE.read_text()
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for word in line.split()}
    folders = set(PYPROJECT["tool"]["setuptools"]["package-dir"].values())
    assert copied == folders | {"constraints.txt", "pyproject.toml", "README.md", "LICENSE"}
    assert all((ROOT / name).exists() for name in copied)
    (extras,) = re.findall(r'"/src\[(.*)\]"', text)
    assert set(extras.split(",")) <= set(PYPROJECT["project"]["optional-dependencies"])
    assert "FROM python:3.11-" in text
