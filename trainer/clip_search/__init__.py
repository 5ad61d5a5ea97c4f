"""Questions to a station's clip store: what would have changed, what sounds like this."""
