"""What the workflows domain stores. One module per collection; all take a TenantScope."""
