"""`python -m kafkalog`."""

from kafkalog.cli.main import run

if __name__ == "__main__":
    run()
