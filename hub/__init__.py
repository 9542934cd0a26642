"""Trunkline: the event hub of an internal developer platform.

The way of an event, folder by folder:

1. `receiver`   HTTP in: limits, signatures; answers 202 only when step 3 is done
2. `sources`    what a sender sent becomes an `Envelope` (`events`)
3. `bus`        the envelope is durable, in order
4. `dispatch`   the router writes a run for every handler that wants it (`journal`)
5. `dispatch`   the runner claims the run and calls the handler (`handlers`)
6. `actions`    the handler decides by making actions, which are values
7. `clients`    the actions are performed, one file per outside system
"""
