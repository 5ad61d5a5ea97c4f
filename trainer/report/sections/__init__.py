"""One file a section of the report's page: what was measured in, HTML out."""
