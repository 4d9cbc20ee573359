"""How figures are shown in a browser: a module a page, each a few functions of a visit."""
