"""Files, compilers and machine code: the only place of this room that touches the disk or starts a process."""
