# A real Kubernetes on this machine, for a person and for the tests. Included by the Makefile.

NODES ?= 1
FAKE_NODES ?= 20
HARNESS := PYTHONPATH=tests/real $(BIN)/python -m harness

.PHONY: cluster cluster-down cluster-build

cluster-build: setup ## Find or build the programs of a real cluster, once.
	@$(HARNESS) build --nodes $(NODES) --fake-nodes $(FAKE_NODES)

cluster: setup ## Bring up a real cluster on this machine (NODES=1 FAKE_NODES=20); print KUBECONFIG.
	@$(HARNESS) up --nodes $(NODES) --fake-nodes $(FAKE_NODES)

cluster-down: setup ## Take that cluster down and leave nothing behind.
	@$(HARNESS) down
