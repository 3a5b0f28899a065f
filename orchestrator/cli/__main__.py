"""python -m orchestrator.cli: the command without an installed script."""

import sys

from orchestrator.cli import main

sys.exit(main())
