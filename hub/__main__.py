"""`python -m hub` and the `trunkline` command."""

import sys

from hub.cli.app import app
from hub.cli.output import Exit, complain
from hub.errors import SettingsError, StorageError, TrunklineError


def main() -> None:
    """Run the command, and turn the errors that are not bugs into words and an exit code."""
    try:
        app()
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        sys.exit(Exit.SETTINGS)
    except StorageError as error:
        complain(f"trunkline: {error}")
        sys.exit(Exit.UNAVAILABLE)
    except TrunklineError as error:
        complain(f"trunkline: {error}")
        sys.exit(Exit.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
