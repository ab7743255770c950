"""The spool: events on this machine's disk, until a remote store has confirmed them."""
