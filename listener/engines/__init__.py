"""What computes scores from patches: the local engines and the one that asks model servers."""
