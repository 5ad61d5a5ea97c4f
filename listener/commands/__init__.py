"""What the commands do, one file each; `run` is the daemon itself."""
