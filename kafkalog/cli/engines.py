"""Where else `verify` may scan: a Dask cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.errors import ExtraMissing, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["dask"]

#: Seconds in which a scheduler must answer.
_ANSWERS_IN = "10s"


@contextmanager
def dask(address: str | None, jobs: int) -> Iterator[Executor | None]:
    """An executor that scans on the workers of a Dask cluster.

    Args:
        address: Of its scheduler (`tcp://host:8786`); `local`: worker processes here; None: no cluster.
        jobs: How many processes, of a local one.

    Raises:
        ExtraMissing: the package is not installed.
        RequestError: no scheduler answers.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ExtraMissing("--dask", "kafkalog[dask]") from None
    if address == "local":
        with LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            yield client.get_executor()
        return
    try:
        client = Client(address, timeout=_ANSWERS_IN)
    except (OSError, ValueError) as error:
        raise RequestError(f"--dask {address}: no scheduler answers there: {error}") from None
    with client:
        yield client.get_executor()
