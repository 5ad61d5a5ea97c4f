"""Keras models as bundles, and bundles in the repositories of model servers."""
