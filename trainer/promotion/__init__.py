"""From a candidate to the bundle in use: a gate, an atomic swap, and the way back."""
