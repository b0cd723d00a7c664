"""Search attributes: the columns and filters of the run list, typed, in one place.

They are schema: `bootstrap` registers them before the first worker starts. Values are never encrypted.
"""

from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("RunbookState")  # running, done, failed
CLUSTER = SearchAttributeKey.for_keyword("Cluster")

ALL: tuple[SearchAttributeKey[str], ...] = (STATE, CLUSTER)
