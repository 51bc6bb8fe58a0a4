"""The decision: values and functions. No I/O, no clock, no dice, no async, no third party."""
