"""The pure part: arrays and values in, values out. No thread, clock, network or file watching."""
