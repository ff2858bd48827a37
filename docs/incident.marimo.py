"""The notebook about a damaged partition, for marimo: `marimo edit docs/incident.marimo.py`."""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import pathlib
    import shutil
    import tempfile

    import marimo as mo

    import kafkalog

    here = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(tempfile.mkdtemp())
    shutil.copytree(here / "fixtures/broker/2.1.1/plain/twitter-status-0", folder / "twitter-status-0")
    log = folder / "twitter-status-0" / "00000000000000000000.log"
    data = log.read_bytes()
    log.write_bytes(data[:1000] + data[1001:])
    return folder, kafkalog, mo


@app.cell
def _(mo):
    mo.md("""
    # A partition that a disk has damaged

    One byte of its second batch is lost. Where is the damage, and what can still be read?
    """)


@app.cell
def _(folder, kafkalog):
    partition = kafkalog.open_partition(folder / "twitter-status-0")
    partition
    return (partition,)


@app.cell
def _(kafkalog, partition):
    report = kafkalog.verify(partition.path)
    report
    return (report,)


@app.cell
def _(partition):
    plots = partition.plot
    plots.timeline()
    return (plots,)


@app.cell
def _(mo, partition):
    damage = partition.table("damage").to_pandas()
    mo.ui.table(damage)
    return (damage,)


@app.cell
def _(damage, partition, report):
    records = partition.table(columns="offset,problem").to_arrow()
    print(f"{report.verdict}: {len(damage)} damaged place, {records.num_rows} records can be read")  # noqa: T201
    return


if __name__ == "__main__":
    app.run()
