"""What the doctor reads at a site: everything at once, each within its limit. Nothing is changed, nothing is judged."""
