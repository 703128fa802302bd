"""How log lines are written: one per fact, to standard error, for eyes or for machines.

Under a service manager that stamps lines itself the console format leaves the time out.
"""

import logging
import os
import sys
from typing import Any

import structlog

from mta.config.model import LogFormat, LogOptions

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_log(options: LogOptions) -> None:
    """Set structlog up for the process; call it once, before anything is logged."""
    processors: list[Any] = [structlog.processors.add_log_level]
    if options.format is LogFormat.JSON:
        processors += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        if not os.environ.get("JOURNAL_STREAM"):
            processors.append(structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True))
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[options.level.value]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
