"""The lab: datasets, experiments, trained models, predictions, anomalies (contract 2.12)."""
