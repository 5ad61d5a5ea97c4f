"""The network: a backbone whose weights are published, a head that is ours, and their training."""
