"""Hyperparameter search: a study of many trials, shared by any number of processes."""
