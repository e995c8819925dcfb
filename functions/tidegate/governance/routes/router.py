"""The one router of the domain."""

from __future__ import annotations

from tidegate_kit.http import Router

router = Router("governance")
