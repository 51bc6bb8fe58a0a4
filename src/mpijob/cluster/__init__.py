"""A small Kubernetes, pure: state, request and time in; state, answer and changes out."""
