import sys

from apps.sandbox.cli import main

sys.exit(main())
