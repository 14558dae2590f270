"""Frames to a film: ``.mp4`` and ``.gif`` by imageio, ``.png`` as a strip of stills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from expedition.platform.errors import UserError
from expedition.platform.store import explain

SUFFIXES = (".mp4", ".gif", ".png")
STILLS = 8  # in a strip
DEFAULT_FPS = 30


def check_suffix(path: Path) -> None:
    """Refuse a file name that says nothing we can write.

    Raises:
        UserError: Names the suffixes there are.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--out {path}: the name must end in {', '.join(SUFFIXES)}")


def write(path: Path, frames: Sequence[np.ndarray], fps: float = DEFAULT_FPS) -> None:
    """Write frames to a file, of the kind that its suffix says.

    Args:
        path: File to write; its folder is created.
        frames: Images of one shape, [height, width, 3], uint8; at least one.
        fps: Frames a second; a strip has none.

    Raises:
        UserError: The suffix is none of ours, or the file cannot be written.
    """
    check_suffix(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[path.suffix.lower()](path, frames, fps)
    except OSError as error:
        raise explain(error, path) from error


def _write_mp4(path: Path, frames: Sequence[np.ndarray], fps: float) -> None:
    import imageio.v2 as imageio

    # H.264 with the colours every player knows needs even sides; 8 Mbit/s keeps thin lines sharp.
    imageio.mimwrite(
        path,
        [even(frame) for frame in frames],
        format="FFMPEG",
        fps=fps,
        codec="libx264",
        macro_block_size=1,
        bitrate="8M",
    )


def _write_gif(path: Path, frames: Sequence[np.ndarray], fps: float) -> None:
    import imageio.v2 as imageio

    imageio.mimsave(path, list(frames), format="GIF", duration=1000 / fps, loop=0)


def _write_strip(path: Path, frames: Sequence[np.ndarray], fps: float) -> None:
    import imageio.v2 as imageio

    imageio.imwrite(path, strip(frames))


_WRITERS = {".mp4": _write_mp4, ".gif": _write_gif, ".png": _write_strip}


def even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column of a frame whose height or width is odd."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def strip(frames: Sequence[np.ndarray], stills: int = STILLS) -> np.ndarray:
    """Put frames side by side, evenly spaced from the first to the last.

    Args:
        frames: Images of one shape, [height, width, 3].
        stills: How many to choose, if there are as many.

    Returns:
        One image, [height, width * number chosen, 3].
    """
    chosen = np.linspace(0, len(frames) - 1, min(stills, len(frames))).round().astype(int)
    return np.concatenate([frames[index] for index in chosen], axis=1)
