"""The gitops repository: one writer for a branch, and a reader of what its commits deploy.

`client` is what the hub performs its actions with; its docstring says how the parts work together.
`order` is what it asks of the place where source commits live.
"""

from hub.clients.gitops.client import Gitops
from hub.clients.gitops.order import Comparison, Order, SourceOrder

__all__ = ["Comparison", "Gitops", "Order", "SourceOrder"]
