"""Real things that tests talk to: a sound server, network servers, the faults that they have."""
