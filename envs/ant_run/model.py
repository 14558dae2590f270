"""Gymnasium's ant on a large floor, seen from above, with or without walls beside it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from xml.etree import ElementTree

CAMERA = "above"
WALL_LENGTH = 500.0  # m, centred on the start: no ant gets to the open ends in an episode
WALL_THICKNESS = 1.0  # m
WALL_CENTRE, WALL_HEIGHT = 0.5, 2.0  # m; the walls' lower halves are below the floor

_FLOOR = 300.0  # m, half its width in frames; what collides is a plane without end
_TILES = 450  # on the floor, as large as the original's
_VIEW_HEIGHT = 16.0  # m above the ant: shows the walls of a hallway that is 10 m wide
_LIGHT = {"ambient": "0.4 0.4 0.4", "diffuse": "0.3 0.3 0.3", "specular": "0 0 0"}


@cache
def ant_xml(width: float | None) -> str:
    """Write the model.

    Args:
        width: Of the hallway, between the inner faces of its walls, m; ``None`` means no walls.
    """
    path = files("gymnasium.envs.mujoco").joinpath("assets", "ant.xml")
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    world, torso = _find(root, "worldbody"), _find(root, "worldbody/body[@name='torso']")
    _find(world, "geom[@name='floor']").set("size", f"{_FLOOR} {_FLOOR} 40")
    # Its mirror of black and white tiles would outshine the ant from above.
    tiles = _find(root, "asset/texture[@name='texplane']")
    tiles.attrib.update(rgb1="0.93 0.92 0.90", rgb2="0.82 0.81 0.79")
    material = _find(root, "asset/material[@name='MatPlane']")
    material.attrib.update(texrepeat=f"{_TILES} {_TILES}", reflectance="0", specular="0")
    ElementTree.SubElement(ElementTree.SubElement(root, "visual"), "headlight", _LIGHT)
    _find(world, "light").set("diffuse", "0.4 0.4 0.4")
    view = {"name": CAMERA, "mode": "trackcom", "pos": f"0 0 {_VIEW_HEIGHT}"}
    torso.insert(0, ElementTree.Element("camera", view))
    if width is not None:
        for name, side in (("left_wall", 1.0), ("right_wall", -1.0)):
            world.append(_wall(name, side * (width + WALL_THICKNESS) / 2.0))
    return ElementTree.tostring(root, encoding="unicode")


def _wall(name: str, y: float) -> ElementTree.Element:
    """A box along x. The ant's own geoms meet only what has a ``conaffinity``."""
    half_sizes = (WALL_LENGTH / 2.0, WALL_THICKNESS / 2.0, WALL_HEIGHT / 2.0)
    attributes = {
        "name": name,
        "type": "box",
        "pos": f"0 {y} {WALL_CENTRE}",
        "size": " ".join(map(str, half_sizes)),
        "contype": "1",
        "conaffinity": "1",
        "rgba": "0.35 0.38 0.44 1",
    }
    return ElementTree.Element("geom", attributes)


def _find(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    found = parent.find(path)
    if found is None:
        raise ValueError(f"the ant of this version of Gymnasium has no {path}")
    return found
