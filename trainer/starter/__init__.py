"""The starter bundle that ships with the package: a small network of our own, distilled from YAMNet."""
