"""Plugins: one host or sink a module."""
