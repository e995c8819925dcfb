"""The router of contract 2.10; `routes` and `plans.routes` declare on it."""

from __future__ import annotations

from tidegate_kit.http import Router

router = Router("findings")
