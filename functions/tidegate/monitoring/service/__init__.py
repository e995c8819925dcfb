"""The decisions of the monitoring domain, one module per subject."""
