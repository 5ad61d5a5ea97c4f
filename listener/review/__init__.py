"""The page on which people listen to clips and say what they hold (an extra)."""
