"""The one place that builds objects and passes them to each other. It decides nothing.

`hub.wiring.hub` is a process of the hub; what a process of its role does without is not imported.
"""
