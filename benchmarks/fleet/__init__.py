"""Many stations on one Mosquitto: what reaches a subscriber, what it costs, and what 10 000 would."""
