"""See what happens on your AI copilot's WebSockets."""
