"""The adapter to a real API server: where it is, who we are, requests, and watches that go on."""
