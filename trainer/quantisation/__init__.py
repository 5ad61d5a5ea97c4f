"""Smaller and faster forms of a bundle's model, each judged beside float32 before it is offered."""
