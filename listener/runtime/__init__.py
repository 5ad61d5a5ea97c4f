"""What changes in a running station: its bundle, mutes and thresholds."""
