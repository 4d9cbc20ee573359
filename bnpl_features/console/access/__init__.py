"""Who may see and do what: roles, sign-in, the guard before every page."""
