"""The `kafkalog` command, also as `python -m kafkalog`."""

import signal


def run() -> None:
    """Run the command line; an interrupt while it is still being imported ends it without another word, too."""
    try:
        from kafkalog.cli.main import run as run_command
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    run_command()


if __name__ == "__main__":
    run()
