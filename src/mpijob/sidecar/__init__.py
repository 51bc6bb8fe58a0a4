"""The controller of the openmpi package: beside each worker it minds its data, and the master."""
