"""Step 7: actions are performed. One file per outside system; foreign exceptions stop here."""
