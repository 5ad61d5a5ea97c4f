"""Which audio, which targets, which fold: several forms on disk in, one table out."""
