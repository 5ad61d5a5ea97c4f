"""Real audio from Debian packages: what the world benchmark fetches and measures."""
