"""The demonstration: a coordinator and worker processes take real tasks from spawn to COMPLETED."""
