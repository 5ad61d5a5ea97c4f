"""A sound that the bundle never knew, taught by five clips of a station."""
