"""The decisions of findings."""
