"""Smaller and faster forms of a bundle's model, each measured beside float32 before it is offered."""
