"""The soak: a crew of agents in two clones, with kills, stops, wrong clocks and imports; `make soak SECONDS=300`."""
