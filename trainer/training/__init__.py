"""From labelled clips to a bundle: the embeddings, the training of the head, the export."""
