"""Who is told when something fails: alerts, the places that they go to, and what was sent already."""
