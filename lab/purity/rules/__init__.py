"""What an array does: pods, volumes, hosts, connections, sessions, alerts."""
