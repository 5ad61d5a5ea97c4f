"""The network: a published backbone, our head on it, and their training."""
