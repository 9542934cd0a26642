"""One SQLite file, one owner, one writer thread.

Everything that arrives while a commit is on its way to the disk goes into the next commit together
(no timer), so durability costs one `fdatasync` for all of it. A job is a function from the writer's
connection to a result; its future is resolved only after the commit that carries it.

WAL and `synchronous=FULL`: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous.
"""

from hub.sqlite.database import Database
from hub.sqlite.store import Job, Joint, Store

__all__ = ["Database", "Job", "Joint", "Store"]
