"""Prices: the dated baseline, the loader from the AWS Price List API, spot savings."""
