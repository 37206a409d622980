# SPDX-License-Identifier: Apache-2.0
"""The rows of the table, by name, in the order in which they run."""

from . import fan_out, idle_polls, idle_streams, latency, replay, restart, stalled

SCENARIOS = {
    "single": fan_out.single,
    "batch": fan_out.batch,
    "streams": idle_streams.run,
    "latency": latency.run,
    "replay": replay.run,
    "restart": restart.run,
    "resume": replay.resume,
    "polls": idle_polls.run,
    "stalled": stalled.run,
}
