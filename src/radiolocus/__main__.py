"""The command ``radiolocus``, also as ``python -m radiolocus``. Worker processes import this file again."""

from radiolocus.app.loading import loading


def main() -> None:
    """Load the command line and run it."""
    with loading():
        from radiolocus.app.cli import main as command
    command()


if __name__ == "__main__":
    main()
