"""Generated sounds and scenes with exact ground truth; the same seed gives the same samples."""
