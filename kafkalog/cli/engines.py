"""Where else `verify` may scan: a Dask cluster."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kafkalog.errors import ExtraMissing, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["dask"]

#: How long to wait for a scheduler, and for its first worker.
_ANSWERS_IN = "10s"


@contextmanager
def dask(address: str | None, jobs: int) -> Iterator[Executor | None]:
    """An executor that scans on the workers of a Dask cluster.

    Args:
        address: Of its scheduler (`tcp://host:8786`); `local`: worker processes here; None: no cluster.
        jobs: How many processes, of a local one.

    Raises:
        ExtraMissing: the package is not installed.
        RequestError: no scheduler answers, or it has no worker.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ExtraMissing("--dask", "kafkalog[dask]") from None
    with ExitStack() as stack:
        if address == "local":
            try:
                started = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
            except (OSError, RuntimeError) as error:
                raise RequestError(f"--dask local: its worker processes do not start: {error}") from None
            client = stack.enter_context(Client(stack.enter_context(started)))
        else:
            try:
                client = stack.enter_context(Client(address, timeout=_ANSWERS_IN))
            except (OSError, ValueError) as error:
                raise RequestError(f"--dask {address}: no scheduler answers there: {error}") from None
        try:
            client.wait_for_workers(1, timeout=_ANSWERS_IN)
        except TimeoutError:
            raise RequestError(f"--dask {address}: the scheduler has no worker: start one, or more") from None
        yield client.get_executor()
