"""Scores from model servers that speak the Open Inference Protocol (KServe v2); an extra."""
