"""The main job, run and narrated: `python -m infra.demo`."""
