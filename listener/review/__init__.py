"""The page on which people listen to clips and judge them (an extra)."""
