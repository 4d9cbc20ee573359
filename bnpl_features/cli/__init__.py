"""`bnpl-features`: the command line, thin: arguments in, the library's work, tables or JSON out.

Exit codes: 0 done; 1 a fault in this project; 2 wrong input, argument or setting; 3 the warehouse; 4 the online store;
5 a publication, run or promotion that was refused or failed; 6 the model registry; 7 an alert
that was not delivered; 8 the prediction service.
"""

import sys


def main() -> None:
    """The console script; a light installation, which has no command line, is told what to install."""
    try:
        from bnpl_features.cli.main import commands
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit("error: the command line is not installed; pip install 'bnpl-features[cli]'")
    commands()
