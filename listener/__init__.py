"""Earshot's daemon: audio in, sound events out."""

__version__ = "0.2.0"
