"""Data sets of several forms on disk -> one table of clips with targets, folds and patches."""
