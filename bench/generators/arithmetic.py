"""The arithmetic of the comparison. No I/O."""
import statistics


def summarise(values):
    """Median and extremes of the rounds; None where no round had a value."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return {"median": statistics.median(present), "low": min(present), "high": max(present)}


def per_core_second(messages, cpu_s):
    """Messages for each second of processor time that the generator took."""
    return messages / cpu_s if cpu_s > 0 else None


def ratio_of_rounds(ours, theirs):
    """Median of ours ÷ theirs within each round, so that what slows a whole round cancels."""
    pairs = [(a, b) for a, b in zip(ours, theirs) if a is not None and b]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def open_loop_quantile_ms(quantile, stall_s, window_s, service_ms=0.0):
    """A quantile of latency when a server stalls once in a window of constant arrivals.

    Arrivals during the stall are a share stall ÷ window of all; they wait for its end, so their
    delays are uniform from 0 to the stall. Others take `service_ms`.
    """
    if not 0 < stall_s <= window_s:
        raise ValueError(f"a stall of {stall_s} s does not fit into {window_s} s")
    if not 0 <= quantile <= 1:
        raise ValueError(f"{quantile} is no quantile")
    delay_s = stall_s - (1 - quantile) * window_s
    return max(0.0, delay_s) * 1000 + service_ms


def open_loop_mean_ms(stall_s, window_s):
    """The mean of the same: a share stall ÷ window is delayed by half the stall on average."""
    if not 0 < stall_s <= window_s:
        raise ValueError(f"a stall of {stall_s} s does not fit into {window_s} s")
    return stall_s / window_s * stall_s / 2 * 1000


def quantile_ms(values_ms, quantile):
    """Nearest-rank quantile of a list."""
    ordered = sorted(values_ms)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
