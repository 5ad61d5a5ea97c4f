"""The settings of a station: the tables of its TOML file with their defaults, and the loader."""
