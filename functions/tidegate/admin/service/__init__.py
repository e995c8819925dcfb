"""The decisions of the admin domain, one module per subject."""
