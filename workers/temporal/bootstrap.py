"""What a Temporal namespace needs before the first worker: search attributes, and time to keep what has ended.

Safe to run again.
"""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows import attributes

# An auditor asks after a year; Temporal's own default is one to three days.
KEPT = timedelta(days=400)


async def bootstrap(client: Client) -> list[str]:
    """Register what is missing; the names that were added."""
    missing = await missing_attributes(client)
    if missing:
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword))
        )
    return missing


async def missing_attributes(client: Client) -> list[str]:
    """The search attributes of runs that the namespace does not know."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [key.name for key in attributes.ALL if key.name not in listed.custom_attributes]


async def retention(client: Client) -> timedelta:
    """For how long the namespace keeps runs that have ended."""
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def keep_long(client: Client) -> timedelta:
    """Have ended runs kept for `KEPT`, where nothing longer is set; for how long they are kept then.

    For the embedded server alone: another namespace's retention is its owner's to set.
    """
    known = await retention(client)
    if known >= KEPT:
        return known
    limit = Duration()
    limit.FromTimedelta(KEPT)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=limit)
        )
    )
    return await retention(client)


async def kept_warning(client: Client) -> str:
    """What to do when ended runs are gone too soon; empty when they are kept long enough, or nobody can tell."""
    try:
        known = await retention(client)
    except RPCError:
        return ""
    if known >= KEPT:
        return ""
    return (
        f"namespace {client.namespace} deletes runs {known.days} days after their end, and their audit record with "
        f"them; keep them longer: temporal operator namespace update --retention {KEPT.days}d -n {client.namespace}"
    )
