"""The exact-resume certificate: 2N iterations equal N, a new process, and N more."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).with_name("resume_script.py")


def differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Paths at which two nested states differ, element for element."""
    if path.endswith(("action_space", "observation_space")):
        return []  # spaces have a generator of their own, which nothing draws from
    if isinstance(first, dict):
        if first.keys() != second.keys():
            return [f"{path}: keys {first.keys() ^ second.keys()}"]
        return [d for key in first for d in differences(first[key], second[key], f"{path}/{key}")]
    if isinstance(first, list | tuple):
        if len(first) != len(second):
            return [f"{path}: {len(first)} != {len(second)} entries"]
        pairs = zip(first, second, strict=True)
        return [d for i, (a, b) in enumerate(pairs) for d in differences(a, b, f"{path}[{i}]")]
    if isinstance(first, np.ndarray | torch.Tensor):
        same = np.array_equal(
            np.asarray(first), np.asarray(second), equal_nan=first.dtype.kind == "f"
        )
        return [] if same else [path]
    return [] if first == second else [f"{path}: {first} != {second}"]


def train(*arguments: str) -> None:
    subprocess.run([sys.executable, str(SCRIPT), *arguments], check=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "env"),
    [
        ("smm", "expedition/Navigation-v0"),
        ("sac", "HalfCheetah-v5"),
        ("smm-remote", "expedition/Navigation-v0"),
        ("smm-split", "expedition/Navigation-v0"),
    ],
)
def test_a_run_resumed_in_a_new_process_equals_the_run_never_stopped(
    tmp_path: Path, method: str, env: str
):
    through, half, resumed = (str(tmp_path / name) for name in ("through", "half", "resumed"))
    train(method, env, "4", through)
    train(method, env, "2", half)
    train(method, env, "2", resumed, half)
    first, second = (
        torch.load(f"{folder}/everything.pt", weights_only=False) for folder in (through, resumed)
    )
    assert first["counters"] == [4, 640, 260]
    assert differences(first, second) == []
