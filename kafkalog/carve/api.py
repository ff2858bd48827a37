"""`carve`: from images to directories with what was found in them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.carve.groups import chains_of, groups_of, without_copies
from kafkalog.carve.journal import JOURNAL, Task, journal_of
from kafkalog.carve.known import known_partitions, live_batches
from kafkalog.carve.output import write_groups
from kafkalog.carve.scan import RANGE, Scanned, Search, follows, join, scan
from kafkalog.carve.shapes import shape_of
from kafkalog.carve.stitch import Stitcher
from kafkalog.carve.values import Carved, Run, Shape, Stitch
from kafkalog.core.batch import LOG_OVERHEAD, SIZE_AND_MAGIC, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.errors import FormatError, RequestError
from kafkalog.files.cores import cores
from kafkalog.files.image import Image, holds
from kafkalog.files.output_file import NewTree, check_apart, written_whole
from kafkalog.files.restraint import sparing_cache
from kafkalog.files.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kafkalog.carve.journal import SearchJournal

__all__ = ["MANIFEST", "Settings", "carve"]

#: What is added to the name of the new directory for the account of it.
MANIFEST = ".carve.jsonl"
#: Runs of which it is looked at what their records look like.
_MOST_SHAPES = 100_000


class Settings(NamedTuple):
    """How it is looked for batches, and what is made of them.

    Args:
        like: Partition directories and log dirs: what is found may be of one of these.
        live: Partition directories and log dirs whose batches need not be found.
        with_live: Whether these are written all the same.
        begin: Where to begin in each image.
        end: Where to end; None: at its end.
        block_size: Bytes of a block of the file system.
        stitch: Whether it is looked for the rest of batches that are cut.
        max_batch: Bytes of the largest batch.
        legacy: Whether messages of magic 0 and 1 are looked for, too.
        jobs: How many processes look; None: as many as there are cores, if there is much to look through.
        with_numpy: Whether numpy is used; None: where it is installed.
        resume: Whether to go on with a search that was interrupted.
    """

    like: Sequence[str] = ()
    live: Sequence[str] = ()
    with_live: bool = False
    begin: int = 0
    end: int | None = None
    block_size: int = 4096
    stitch: bool = True
    max_batch: int = 16 << 20
    legacy: bool = False
    jobs: int | None = None
    with_numpy: bool | None = None
    resume: bool = False


def carve(paths: Sequence[str], out: str, settings: Settings, manifest: Callable[[Carved], Iterator[bytes]]) -> Carved:
    """Look for batches in images, and write what is found to a new directory.

    Args:
        paths: Files, or block devices.
        out: The new directory. Beside it is written the account of it, `NEWDIR.carve.jsonl`; neither, if nothing is found.
        settings: How.
        manifest: Makes the account: its lines.

    Raises:
        RequestError: the new directory or its account is there already, would lie under a source, or on a device that is one;
            what is to be gone on with is another search.
        UnreadableFile: an image, or what it is compared with, cannot be read.
        OSError: the system refuses to write.
    """
    out = out.rstrip("/") or out
    account = out + MANIFEST
    examined = [*paths, *settings.like, *settings.live]
    for path in (out, account):
        check_apart(path, examined)
        if os.path.lexists(path):
            raise RequestError(f"{path} is there already: name a directory that is not")
    for path in paths:
        if holds(path, out):
            raise RequestError(
                f"{out} would be written to {path}, over what is looked for there: name a directory on another disk"
            )
    known = known_partitions(settings.like)
    live = live_batches(settings.live)
    search = Search(settings.max_batch, settings.legacy, live, settings.block_size, settings.with_numpy)
    with ExitStack() as stack:
        images = [stack.enter_context(Image(path)) for path in paths]
        stack.enter_context(sparing_cache(any(image.is_device for image in images)))  # the disk may be in use
        carved = Carved(tuple(paths), out)
        limits = (settings.begin, settings.end)
        journal = stack.enter_context(journal_of(out + JOURNAL, examined, images, search, limits, is_wanted=settings.resume))
        runs = _search(images, settings, search, carved, journal)
        if not settings.with_live:
            carved.live_batches = sum(run.batches for run in runs if run.is_live)
            runs = [run for run in runs if not run.is_live]
        kept = without_copies(runs)
        carved.copies = len(runs) - len(kept)
        for run in kept[:_MOST_SHAPES]:
            run.shape = _shape(images[run.image], run)
        stitcher = Stitcher(images, kept, settings.block_size, settings.max_batch)
        if settings.stitch:
            stitcher.run()
        carved.groups = groups_of(chains_of(kept, stitcher.found), known)
        _count(carved, kept, [stitch for stitch, _ in stitcher.found.values()])
        if carved.groups:
            _write(out, account, carved, images, manifest)
    return carved


def _search(images: Sequence[Image], settings: Settings, search: Search, carved: Carved, journal: SearchJournal) -> list[Run]:
    """All runs, ascending in each image."""
    tasks: list[Task] = []
    for number, image in enumerate(images):
        end = image.size if settings.end is None else min(settings.end, image.size)
        carved.searched_bytes += max(0, end - settings.begin)
        tasks += [Task(image.path, number, begin, min(begin + RANGE, end)) for begin in range(settings.begin, end, RANGE)]
    jobs = min(cores(), len(tasks)) if settings.jobs is None else settings.jobs
    runs: list[Run] = []
    over = 0
    for task, result in zip(tasks, _results(tasks, search, jobs, journal), strict=True):
        path, number, begin, end = task
        if begin == settings.begin:
            over = begin
        scanned = result
        if any(run.start < over for run in scanned.runs):
            # A batch that began before goes on here, and holds what looks like batches.
            scanned = scan(path, number, min(over, end), end, search)
        if runs and scanned.runs and follows(runs[-1], scanned.runs[0]):
            join(runs[-1], scanned.runs.pop(0))
        runs += scanned.runs
        over = max(over, scanned.over)
        carved.skipped += scanned.skipped
        carved.flat_bytes += scanned.flat_bytes
        carved.sampled_bytes += scanned.sampled_bytes
    return runs


def _results(tasks: Sequence[Task], search: Search, jobs: int, journal: SearchJournal) -> Iterator[Scanned]:
    """What is in each range: what was found before, the rest noted as soon as it is found."""
    noted = [journal.found_in(task) for task in tasks]
    found = _scanned([task for task, one in zip(tasks, noted, strict=True) if one is None], search, jobs)
    for task, one in zip(tasks, noted, strict=True):
        result = one
        if result is None:
            result = next(found)
            journal.add(task, result)
        yield result


def _scanned(tasks: Sequence[Task], search: Search, jobs: int) -> Iterator[Scanned]:
    if jobs < 2:
        yield from (scan(*task, search) for task in tasks)
        return
    with Workers(jobs) as workers:
        futures = [workers.submit(scan, *task, search) for task in tasks]
        for future in futures:
            yield future.result()


def _shape(image: Image, run: Run) -> Shape:
    size = SIZE_AND_MAGIC.unpack(image.read(run.start, SIZE_AND_MAGIC.size))[0] + LOG_OVERHEAD
    data = image.read(run.start, size)
    try:
        return shape_of(RecordBatch.read(data) if run.magic == 2 else LegacyBatch.read(data))
    except FormatError:
        return run.shape


def _count(carved: Carved, runs: Sequence[Run], stitches: Sequence[Stitch]) -> None:
    carved.runs = len(runs)
    carved.stitched = len(stitches)
    carved.cut = sum(run.is_cut for run in runs)
    carved.batches = sum(run.batches for run in runs) + len(stitches)
    carved.records = sum(run.records for run in runs) + sum(stitch.records for stitch in stitches)
    carved.found_bytes = sum(run.end - run.start for run in runs) + sum(stitch.head + stitch.tail for stitch in stitches)


def _write(
    out: str, account: str, carved: Carved, images: Sequence[Image], manifest: Callable[[Carved], Iterator[bytes]]
) -> None:
    with NewTree(out) as tree:
        write_groups(tree, carved.groups, images)
        with written_whole(account) as file:
            file.writelines(manifest(carved))
            tree.publish()
