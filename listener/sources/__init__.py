"""Where audio comes from: microphones, files, standard input, network streams."""
