"""Scores from model servers, by the Open Inference Protocol over gRPC or HTTP."""
