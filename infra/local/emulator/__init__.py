"""What runs inside the emulator's own environment: MiniStack plus the few repairs it needs.

Nothing in here may import from the rest of the project except the standard library and
MiniStack: the environment holds nothing else. Started by ``infra.local.emulator_process``.
"""
