"""What was found: the database, the transition network, the disconnectivity tree, and files of other programs."""
