"""Teaches the listener new sounds."""
