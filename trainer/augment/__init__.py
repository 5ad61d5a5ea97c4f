"""Seeded variations of waveforms: small pure functions that are given their generator."""
