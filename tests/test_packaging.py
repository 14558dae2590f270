"""The package's files: every sub-package is listed, and nothing shadows the standard library."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import ray

ROOT = Path(__file__).parents[1]
FOLDERS = ("algorithms", "envs", "platform", "tune_specs", "cluster")
STANDARD_PLATFORM = "import platform; print(platform.__file__, platform.system())"


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        "expedition." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert found | {"expedition.tune_specs"} == set(listed)


def test_the_platform_folder_is_not_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_the_standard_platform_module_is_importable_from_the_repository_root():
    done = subprocess.run(
        [sys.executable, "-c", STANDARD_PLATFORM], cwd=ROOT, capture_output=True, text=True
    )
    path, system = done.stdout.split()
    assert system
    assert not Path(path).is_relative_to(ROOT / "platform")


@pytest.mark.slow
def test_the_standard_platform_module_is_importable_in_a_ray_worker(monkeypatch):
    monkeypatch.chdir(ROOT)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    @ray.remote
    def where() -> tuple[str, bool]:
        import platform

        import expedition.platform.spec as ours

        return platform.__file__, platform.system() != "" and ours.__file__ is not None

    try:
        path, works = ray.get(where.remote())
    finally:
        ray.shutdown()
    assert works
    assert not Path(path).is_relative_to(ROOT / "platform")


def test_every_package_is_typed():
    for folder in ("algorithms", "cluster", "envs", "platform"):
        assert (ROOT / folder / "py.typed").exists(), folder


@pytest.mark.slow
def test_the_wheel_carries_specs_templates_and_markers(tmp_path: Path):
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    import zipfile

    (wheel,) = tmp_path.glob("expedition-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "expedition/tune_specs/smm/fig2c.yaml" in names
    assert "expedition/platform/cli/app.py" in names
    assert "expedition/platform/templates/report.html.j2" in names
    assert "expedition/envs/assets/dclaw.xml" in names
    assert "expedition/algorithms/py.typed" in names
    assert not any(name.startswith(("platform/", "tests/")) for name in names)
