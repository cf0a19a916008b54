"""`python -m ldrps`, the same as `ldrps`."""

import sys

from ldrps.cli import main

if __name__ == "__main__":
    sys.exit(main())
