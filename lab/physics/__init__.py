"""What is: power, links, disks, membership, time. It knows no system that stands on it."""
