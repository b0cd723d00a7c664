"""What outlives a run: inventory, plans, reports of earlier runs, and the cluster's ledger."""
