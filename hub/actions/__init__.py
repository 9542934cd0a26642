"""What a handler can have done, as frozen values. One file per system, no I/O.

A handler decides by making an action; the hub performs it (`hub/clients`), and journals what came
of it. So the same handler runs live, in a dry run, in a test and over last week's events.
"""
