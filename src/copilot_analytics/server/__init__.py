"""The server and the demo: the whole product assembled."""
