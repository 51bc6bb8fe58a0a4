"""Manifests that people apply: settings in, objects out, and nothing else happens."""
