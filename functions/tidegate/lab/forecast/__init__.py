"""Forecasting models, their backtest and its measures.

Fitting needs numpy and runs in the training task alone; a fitted model is a small JSON state from
which any function predicts with plain arithmetic.
"""
