"""Queries of a station's clip store: what another bundle would change, what sounds alike."""
