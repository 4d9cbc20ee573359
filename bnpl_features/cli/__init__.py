"""`bnpl-features`: the command line, thin: arguments in, the library's work, tables or JSON out.

Exit codes: 0 done; 1 a fault in this project; 2 wrong input, argument or setting; 3 the warehouse; 4 the online store;
5 a publication or run that was refused or failed.
"""

from bnpl_features.cli.main import main

__all__ = ["main"]
