"""The bodies of the shipped `call` roles, one file for each subsystem.

A function takes the ticket's input by short name, reaches the node only through the run context,
and answers with an outcome; errors of the work families may simply be raised."""
