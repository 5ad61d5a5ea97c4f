"""Seeded variations of clips and patches: numpy, small pure functions, the generator passed in."""
