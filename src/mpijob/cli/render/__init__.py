"""How things look: pure functions from JSON to text. No I/O, no clock; colour is an argument."""
