"""AWS on one machine, for the rehearsal: the emulator ministack, with an ECS and a load balancer that behave.

ministack keeps the books of two hundred services; what Colophon's delivery depends on is made here: a scheduler that
waits for health and rolls back, tasks that are containers with AWS's limits and words, a load balancer that checks its
targets and drains them, stacks with the types that are missing, and roles that refuse.
`python -m tests.emulator` starts it; `limitations.py` lists what it only pretends.
"""
