"""What the lab stores, by tenant."""
