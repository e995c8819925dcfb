"""The decisions of the identity domain, one module per subject."""
