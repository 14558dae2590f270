from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from expedition.platform import media
from expedition.platform.errors import UserError


def _frames(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Frames of one grey each, from black to white."""
    levels = np.linspace(0, 255, count).astype(np.uint8)
    return [np.full((height, width, 3), level, np.uint8) for level in levels]


def test_a_film_has_the_frames_the_size_and_the_colours(tmp_path: Path) -> None:
    media.write(tmp_path / "new" / "film.mp4", _frames(12), fps=10)

    film = imageio.imread(tmp_path / "new" / "film.mp4", plugin="FFMPEG")

    assert film.shape == (12, 32, 48, 3)
    levels = film.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(levels, np.linspace(0, 255, 12), atol=6)


def test_odd_sides_are_made_even_by_repeating_the_edge(tmp_path: Path) -> None:
    frame = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    padded = media.even(frame)
    assert padded.shape == (4, 6, 3)
    np.testing.assert_array_equal(padded[:3, :5], frame)
    np.testing.assert_array_equal(padded[3, :5], frame[2])

    media.write(tmp_path / "odd.mp4", _frames(4, 33, 47), fps=10)
    assert imageio.imread(tmp_path / "odd.mp4", plugin="FFMPEG").shape == (4, 34, 48, 3)


def test_a_gif_keeps_every_frame_and_its_pace(tmp_path: Path) -> None:
    media.write(tmp_path / "film.gif", _frames(5), fps=20)
    assert imageio.imread(tmp_path / "film.gif", index=None).shape == (5, 32, 48, 3)
    assert imageio.immeta(tmp_path / "film.gif", index=0)["duration"] == 50


def test_a_strip_shows_first_and_last_and_evenly_between(tmp_path: Path) -> None:
    media.write(tmp_path / "strip.png", _frames(29))
    image = imageio.imread(tmp_path / "strip.png")
    assert image.shape == (32, 48 * 8, 3)
    shown = image[0, ::48, 0]
    assert (shown[0], shown[-1]) == (0, 255)
    assert set(np.diff(shown.astype(int))) <= {36, 37}
    assert media.strip(_frames(3)).shape == (32, 48 * 3, 3)


def test_other_suffixes_and_unwritable_places_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"film\.avi: the name must end in \.mp4, \.gif, \.png"):
        media.write(tmp_path / "film.avi", _frames(2))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*film\.png"):
        media.write(tmp_path / "file" / "film.png", _frames(2))
