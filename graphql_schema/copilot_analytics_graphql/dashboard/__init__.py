"""The page: a dashboard for administrators, their sign-in, and GraphiQL, under one path."""
