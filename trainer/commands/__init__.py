"""The options of each of the trainer's commands; the other rooms do the work."""
