"""Retraining: a bundle and a station's verdicts in, a better bundle out that forgets nothing."""
