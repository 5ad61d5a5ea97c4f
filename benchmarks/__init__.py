"""What a station costs and how fast it answers, measured on real sound; see README.md."""
