"""Events to a server of somebody else, one POST each."""
