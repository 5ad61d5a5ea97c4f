"""What changes in a running station: its bundle, and what people ask of it."""
