"""Where requests come in: HTTP."""
