"""What an operator starts: one procedure a file."""

from runbooks.deploy import DeployStretchedCluster

ALL_RUNBOOKS = (DeployStretchedCluster,)
