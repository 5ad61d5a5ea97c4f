"""Events in scenes of recordings that the model never heard: PSDS and collar F1."""
