"""What a broker's next start would do with a directory: log loading, step by step, on a view that is never written."""

from kafkalog.callable_package import make_callable

make_callable(__name__, "kafkalog.next_start.api")
