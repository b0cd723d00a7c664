"""The loss of nodes: the parts of which `SiteLoss` and `NodeLoss` are made. They share who is lost by now."""
