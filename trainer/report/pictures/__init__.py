"""One file a picture: figures of an evaluation in, a matplotlib Figure out."""
