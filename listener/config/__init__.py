"""The settings of a station: the tables of its TOML file, each with its defaults, and how it is read."""
