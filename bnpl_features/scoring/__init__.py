"""The prediction service: a purchase at checkout -> probability of default, decision and reasons.

`core.py` decides, without transport or clock; `http.py` is a thin adapter; `server.py` is the process.
"""
