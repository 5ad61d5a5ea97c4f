"""The durable queue between events and the broker."""
