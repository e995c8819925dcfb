"""The local cloud: an AWS emulator, a localizer for the real template, and a front door.

Run it as ``python -m infra.local up|down|status|restart``; see ``docs/local-cloud.md``.
"""
