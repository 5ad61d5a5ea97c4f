"""The card of a bundle, `card.md`: one file a section, each made from the manifest alone."""
