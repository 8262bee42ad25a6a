"""`python -m webapp.serving ...`: granian, with ears for SIGUSR1, which would end it (webapp/stacks.py)."""

from granian.cli import entrypoint

from webapp import stacks

if __name__ == "__main__":  # the processes that serve import this module too
    stacks.with_children()
    entrypoint()  # type: ignore[no-untyped-call]
