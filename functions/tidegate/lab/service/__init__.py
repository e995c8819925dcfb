"""What the lab decides."""
