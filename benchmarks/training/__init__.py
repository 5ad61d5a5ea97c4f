"""How well `trainer fit` learns: the figures of ESC-10 and of three colours of noise."""
