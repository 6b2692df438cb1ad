"""What to do next: use cases that orchestrate the domain through ports."""
