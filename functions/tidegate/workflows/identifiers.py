"""Ids made from what they name, so that repetitions make the same one: the kit's."""

from tidegate_kit.ids import id_from

__all__ = ["id_from"]
