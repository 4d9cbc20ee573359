"""The feature catalogue: what each feature is, how it is distributed today, and what uses it."""
