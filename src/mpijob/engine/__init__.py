"""The asyncio shell: watches feed a cache, a queue says whom to look at, and plans are performed.

All judgement is in the core. The same engine serves a real cluster, the local backend and the
simulator; what differs is the adapter behind `mpijob.ports`.
"""
