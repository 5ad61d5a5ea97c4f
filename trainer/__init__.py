"""Trains the listener on new sounds."""
