"""Returns, a linear baseline fitted anew on every batch, and advantages, batched over tasks.

Arrays are ``[M, K, T, ...]``: tasks, episodes of a task, steps; ``mask`` says which were made.
All statistics are a task's own.
"""

import numpy as np

_TIME_SCALE = 100.0
_CLIP = 10.0
_RIDGE = 1e-5
_RIDGE_TRIES = 5


def returns_to_go(rewards: np.ndarray, mask: np.ndarray, gamma: float) -> np.ndarray:
    """Discounted sum of the rewards from each step to its episode's end, ``[M, K, T]``.

    Nothing is added for what might follow a time limit.
    """
    return _discounted(np.where(mask, rewards, 0.0), gamma)


def baseline_features(obs: np.ndarray) -> np.ndarray:
    """Observations, their squares, three powers of time and 1: ``[M, K, T, 2 obs + 4]``.

    Source: Duan et al. 2016, arXiv:1604.06778 (rllab's linear feature baseline); observations are
    clipped to ±10, time is in hundreds of steps.
    """
    clipped = np.clip(obs, -_CLIP, _CLIP, dtype=np.float64)
    time = np.arange(obs.shape[2]) / _TIME_SCALE
    powers = np.stack([time, time**2, time**3, np.ones_like(time)], -1)
    powers = np.broadcast_to(powers, (*obs.shape[:3], 4))
    return np.concatenate([clipped, clipped**2, powers], -1)


def fitted_baseline(obs: np.ndarray, returns: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Least-squares prediction of each task's own returns, ``[M, K, T]``.

    A ridge of 1e-5 is added, ten times more while the solution is not finite. The baseline predicts
    the batch that it was fitted on.

    Args:
        obs: ``[M, K, T, obs]``.
        returns: ``[M, K, T]``.
        mask: ``[M, K, T]``.
    """
    tasks = len(obs)
    features = (baseline_features(obs) * mask[..., None]).reshape(tasks, -1, 2 * obs.shape[3] + 4)
    target = (returns * mask).reshape(tasks, -1, 1)
    transposed = features.transpose(0, 2, 1)
    gram, moment = transposed @ features, transposed @ target
    ridge, coefficients = _RIDGE, np.full_like(moment, np.nan)
    for _ in range(_RIDGE_TRIES):
        bad = ~np.isfinite(coefficients).all((1, 2))
        if not bad.any():
            break
        coefficients[bad] = _solved(gram[bad], moment[bad], ridge)
        ridge *= 10
    coefficients = np.nan_to_num(coefficients)
    return (features @ coefficients).reshape(returns.shape)


def advantages(
    rewards: np.ndarray, baseline: np.ndarray, mask: np.ndarray, gamma: float, gae_lambda: float
) -> np.ndarray:
    """Generalised advantage estimates ``[M, K, T]``; with λ = 1, returns minus baseline.

    The value after an episode's last step is 0, also at a time limit.

    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    values = np.where(mask, baseline, 0.0)
    following = np.concatenate([values[..., 1:], np.zeros_like(values[..., :1])], -1)
    errors = np.where(mask, rewards + gamma * following - values, 0.0)
    return _discounted(errors, gamma * gae_lambda)


def standardised(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Values minus their task's mean over its steps, over their standard deviation; 0 elsewhere."""
    count = mask.sum((1, 2), keepdims=True)
    mean = np.sum(values, (1, 2), keepdims=True, where=mask) / count
    centred = np.where(mask, values - mean, 0.0)
    deviation = np.sqrt((centred**2).sum((1, 2), keepdims=True) / count)
    return centred / (deviation + 1e-8)


def _discounted(values: np.ndarray, discount: float) -> np.ndarray:
    sums = np.empty_like(values, dtype=np.float64)
    running = np.zeros(values.shape[:-1])
    for t in range(values.shape[-1] - 1, -1, -1):
        running = values[..., t] + discount * running
        sums[..., t] = running
    return sums


def _solved(gram: np.ndarray, moment: np.ndarray, ridge: float) -> np.ndarray:
    """Solve (gram + ridge I) x = moment for each task; NaN where it is singular."""
    matrix = gram + ridge * np.eye(gram.shape[-1])
    try:
        return np.linalg.solve(matrix, moment)
    except np.linalg.LinAlgError:
        solved = np.full_like(moment, np.nan)
        for task, (left, right) in enumerate(zip(matrix, moment, strict=True)):
            if np.linalg.matrix_rank(left) == len(left):
                solved[task] = np.linalg.solve(left, right)
        return solved
