"""The exact-resume certificate of the methods that sample whole episodes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).with_name("resume_on_policy_script.py")


def assert_equal(first: Any, second: Any, path: str = "") -> None:
    """Element for element; ``path`` is where in the state."""
    if path.endswith(("action_space", "observation_space")):
        return  # spaces have a generator of their own, which nothing draws from
    if isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_equal(first[key], second[key], f"{path}/{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), path
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_equal(*pair, f"{path}[{index}]")
    elif isinstance(first, np.ndarray | torch.Tensor):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second), err_msg=path)
    else:
        assert first == second, path


def train(*arguments: str) -> dict[str, Any]:
    subprocess.run([sys.executable, str(SCRIPT), *arguments], check=True, timeout=300)
    return torch.load(f"{arguments[2]}/everything.pt", weights_only=False)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["maml", "rl2", "trpo", "vime", "nfp"])
def test_a_run_resumed_in_a_new_process_equals_the_run_never_stopped(tmp_path: Path, method: str):
    through, half, resumed = (str(tmp_path / name) for name in ("through", "half", "resumed"))
    whole = train(method, "4", through)
    train(method, "2", half)
    assert whole["counters"][:1] == [4]
    assert_equal(whole, train(method, "2", resumed, half))
