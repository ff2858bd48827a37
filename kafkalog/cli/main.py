"""The `kafkalog` command: its sub-commands, imported when used, and the one place where errors become exit statuses."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kafkalog.cli import exit_status
from kafkalog.cli.command import ALL, COMMANDS, command_of
from kafkalog.cli.completion import beginning_with
from kafkalog.cli.streams import CannotWrite, say, take_streams
from kafkalog.core.printable import printable
from kafkalog.errors import KafkalogError, RequestError, UnreadableFile, UnwritableFile

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "main", "run"]

# A collection for every 700 new objects would take a tenth of the start-up, and nothing here makes cycles by the thousand.
gc.set_threshold(100_000, 20, 20)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used: start-up is half of a small dump."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        del ctx
        return [*COMMANDS, "help"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        del ctx
        if cmd_name == "help":
            return _help
        return command_of(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word; one that is none is answered with the one that was meant."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-") and not ctx.resilient_parsing:
            raise _no_such_command(name, ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, without importing them, and the options of the group."""
        return [*beginning_with(incomplete, self.list_commands(ctx)), *super(click.Group, self).shell_complete(ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interrupt, or a reader of stdout that has gone, ends it without another word."""
        from kafkalog.files.mounted import TELL

        TELL.set(lambda text: say(f"kafkalog: {text}"))
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
            _tell_requests()
            return status
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_status_of_the_end()) from None
        except BrokenPipeError:
            raise click.exceptions.Exit(exit_status.OK) from None
        except (CannotWrite, UnwritableFile) as error:
            say(f"kafkalog: {error}")
            raise click.exceptions.Exit(_status_without_output(ctx)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what one wants, without importing them."""
        del ctx
        width = max(map(len, COMMANDS))
        formatter.write_paragraph()
        for wish, rows in groupby(COMMANDS.items(), key=lambda row: row[1][1]):
            formatter.write(f"{wish}:\n")
            for name, (_, _, help_line) in rows:
                formatter.write(f"  {name:{width}}  {help_line}\n")


def _tell_requests() -> None:
    """Say what stores of files were asked for, which they may have a price for."""
    remote = sys.modules.get("kafkalog.files.remote")
    if remote is not None and remote.traffic.requests:
        from kafkalog.core.spoken import count_text

        say(f"kafkalog: {count_text(remote.traffic.requests, 'request')}, {count_text(remote.traffic.bytes, 'byte')} fetched")


def _no_such_command(name: str, ctx: click.Context) -> click.UsageError:
    from kafkalog.core.command_line import command as command_line
    from kafkalog.core.command_line import quoted
    from kafkalog.core.suggestion import did_you_mean

    if os.path.exists(name):
        hint = f" Say what to do with this path: `{command_line(('kafkalog', 'verify', quoted(name)), {}).line}`, for example."
    else:
        hint = did_you_mean(name, COMMANDS) or f" There are {', '.join(COMMANDS)}."
    return click.UsageError(f"No such command: {printable(name)}.{hint}", ctx)


def _print_version(ctx: click.Context, _: click.Parameter, value: Any) -> None:
    if value:
        from kafkalog.cli.version import version_lines

        for line in version_lines():
            click.echo(line)
        ctx.exit()


@click.command("help", short_help="Show the help of a command.")
@click.argument(
    "name",
    metavar="[COMMAND]",
    required=False,
    shell_complete=lambda _ctx, _param, incomplete: beginning_with(incomplete, COMMANDS),
)
@click.option("--all", "shows_all", is_flag=True, help="Also what is seldom needed.")
@click.pass_context
def _help(ctx: click.Context, name: str | None, *, shows_all: bool) -> None:
    """Show the help of a command, as `kafkalog COMMAND --help` does."""
    assert ctx.parent is not None
    if name is None:
        click.echo(ctx.parent.get_help())
        return
    command = main.get_command(ctx.parent, name)
    if command is None:
        raise _no_such_command(name, ctx)
    own = click.Context(command, ctx.parent, info_name=name)
    own.meta[ALL] = shows_all
    click.echo(command.get_help(own))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`kafkalog help COMMAND` explains one of them. Nothing that is examined is ever written to.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version, those of Python and the codecs, and the releases of Kafka covered.",
)
def main() -> None:
    """Forensics of Kafka's log segments: offline, read-only, without a JVM."""


def _status_without_output(ctx: click.Context) -> int:
    return exit_status.CANNOT_WRITE.get(ctx.invoked_subcommand or "", exit_status.UNREADABLE)


#: Signals that end a run, as an interrupt does; and the one that did.
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds in which a run may then end its last line.
_GRACE = 3.0
_ended_by: list[int] = []


def _listen_for_the_end() -> None:
    """Let signals that end a run end it in order; those that the caller wants ignored (`nohup`) stay ignored."""
    for number in _ENDS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    _ended_by.append(number)
    _stop_listening()
    # What is printed is ended at a line; but nobody may be reading any more.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
    signal.setitimer(signal.ITIMER_REAL, _GRACE)
    raise KeyboardInterrupt


def _stop_listening() -> None:
    """From here on a signal ends the process at once."""
    for number in _ENDS:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_DFL)


def _status_of_the_end() -> int:
    return 128 + _ended_by[0] if _ended_by else exit_status.INTERRUPTED


def _leave(status: int) -> NoReturn:
    _stop_listening()
    # The interpreter would flush stdout once more on the way out and complain about a reader that has gone.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(status)


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    take_streams()
    status = exit_status.INTERNAL
    _listen_for_the_end()
    try:
        result = main.main(args=arguments, prog_name="kafkalog", standalone_mode=False)
        status = result if isinstance(result, int) else exit_status.OK
    except click.exceptions.Exit as request:
        status = request.exit_code
    except click.ClickException as error:
        if not isinstance(error, click.exceptions.NoArgsIsHelpError):  # a help has lines, and nothing that was typed
            error.message = printable(error.message)  # type: ignore[misc]
        with contextlib.suppress(OSError):
            error.show()
        status = exit_status.USAGE
    except (click.exceptions.Abort, KeyboardInterrupt):
        status = _status_of_the_end()
    except BrokenPipeError:
        status = exit_status.OK
    except CannotWrite as error:  # the help of the group
        say(f"kafkalog: {error}")
        status = exit_status.UNREADABLE
    except RequestError as error:
        say(f"kafkalog: {error}")
        status = exit_status.USAGE
    except UnreadableFile as error:
        say(f"kafkalog: {error}")
        status = exit_status.UNREADABLE
    except KafkalogError as error:
        say(f"kafkalog: {error}")
        status = exit_status.INTERNAL
    except Exception as error:
        if os.environ.get("KAFKALOG_TRACEBACK"):
            raise
        say(f"kafkalog: internal error: {type(error).__name__}: {error} (KAFKALOG_TRACEBACK=1 shows where)")
    _leave(status)
