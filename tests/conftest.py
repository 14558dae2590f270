"""Frames of MuJoCo environments need no display."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
