"""Banks of negatives: embeddings of varied real sound that every taught bundle learns to reject."""
