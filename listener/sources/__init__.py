"""Where audio comes from: microphones, files, streams."""
