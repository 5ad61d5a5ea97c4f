"""The clip store: files for people and the trainer, an index for questions."""
