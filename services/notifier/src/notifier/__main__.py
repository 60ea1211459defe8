"""`python -m notifier` serves; `--help` lists the other commands."""

from convoke.starting import importing

with importing():
    from notifier.commands import command_line

if __name__ == "__main__":
    command_line()()
