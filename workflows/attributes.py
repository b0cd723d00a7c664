"""Search attributes: the columns and filters of the run list, typed, in one place.

They are schema: `bootstrap` registers them before the first worker starts. Values are never encrypted.
"""

from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("RunbookState")  # running, attention, paused, done, failed, aborted
CLUSTER = SearchAttributeKey.for_keyword("Cluster")
PLAN = SearchAttributeKey.for_keyword("Plan")  # the digest of the plan that the run made
URGENCY = SearchAttributeKey.for_keyword("Urgency")  # act now, decide, watch, nothing: what it asks of people
VERDICT = SearchAttributeKey.for_keyword("Verdict")  # what a watch or an incident takes the cluster for

ALL: tuple[SearchAttributeKey[str], ...] = (STATE, CLUSTER, PLAN, URGENCY, VERDICT)
