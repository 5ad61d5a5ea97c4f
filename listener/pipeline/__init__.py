"""Threads and bounded queues: source -> patches -> scores -> events -> sinks."""
