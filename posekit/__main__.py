"""`python -m posekit` is `posekit`."""

import sys

from posekit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
