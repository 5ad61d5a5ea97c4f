"""From labelled clips to a bundle: embeddings, a trained head, the export."""
