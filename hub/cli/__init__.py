"""The `trunkline` command, a file per group of commands. No logic of the hub lives here."""
