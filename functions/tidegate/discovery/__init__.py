"""Discovery: what is in a connected account, region by region, and what could not be read."""
