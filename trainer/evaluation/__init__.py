"""How well a bundle does on what it never saw, and the policies that follow from it."""
