"""`python -m auth_service` serves; `--help` lists the other commands."""

from convoke.starting import importing

with importing():
    from auth_service.commands import command_line

if __name__ == "__main__":
    command_line()()
