"""The headers RateLimit-Policy and RateLimit of REST version 2 (draft-ietf-httpapi-ratelimit-headers-10).

Not here: which limits there are (gateway.caller_limits), refusals by them and Retry-After (answers).
"""

from collections.abc import Sequence

from gateway.caller_limits import LimitState


def rate_limit_headers(states: Sequence[LimitState]) -> dict[str, str]:
    """Return the headers that tell limits, nothing where there is none; both are lists as RFC 9651 §3.1 has them."""
    if not states:
        return {}
    return {
        "RateLimit-Policy": ", ".join(map(_policy, states)),
        "RateLimit": ", ".join(map(_limit, states)),
    }


def _policy(state: LimitState) -> str:
    unit = "" if state.unit == "requests" else f';qu="{state.unit}"'  # requests are what is meant without a word
    window = "" if state.window is None else f";w={state.window}"
    return f'"{state.name}";q={state.most}{unit}{window}'


def _limit(state: LimitState) -> str:
    more_in = "" if state.more_in is None else f";t={state.more_in}"
    return f'"{state.name}";r={state.left}{more_in}'
