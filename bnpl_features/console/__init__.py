"""The web console: what the people who run this look at, and where they act; `bnpl-features console` serves it."""
