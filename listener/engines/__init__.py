"""What turns patches into scores."""
