"""Experiments on live purchases: which arm a customer is in, what came of it, when to stop."""
