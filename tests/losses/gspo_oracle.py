"""GSPO and its options by the published formulas, in float64 and one attempt at a time: no array code is shared with the program."""

import math

import numpy as np


def oracle(logprob, old, mask, advantages, config, reference=None, sampler=None) -> dict[str, object]:
    """`total` (objective negated), its `slope` by the policy's log-probabilities, and the metrics as (sum, denominator)."""
    slope = np.zeros(np.shape(logprob))
    total, rows, tokens_seen = 0.0, 0, 0
    sums = dict.fromkeys(("ratio", "clip_fraction", "approx_kl", "reference_kl", "sampler_weight", "sampler_capped", "sampler_masked"), 0.0)
    for row in range(len(mask)):
        tokens = [t for t in range(len(mask[row])) if mask[row][t]]
        if not tokens:
            continue
        rows, tokens_seen, size = rows + 1, tokens_seen + len(tokens), len(tokens)
        ratio = math.exp(math.fsum(logprob[row][t] - old[row][t] for t in tokens) / size)
        sums["ratio"] += ratio
        weight = 1.0
        if config.sampler_cap is not None or config.sampler_mask is not None:
            free = math.exp(math.fsum(old[row][t] - sampler[row][t] for t in tokens) / size)
            weight = 1.0 if config.sampler_cap is None else min(free, config.sampler_cap)
            masked = config.sampler_mask is not None and not 1 / config.sampler_mask <= free <= config.sampler_mask
            if masked:
                weight = 0.0
            elif config.sampler_cap is not None and free > config.sampler_cap:
                sums["sampler_capped"] += 1
            sums["sampler_weight"] += weight
            sums["sampler_masked"] += masked
        for t in tokens:
            # a scalar advantage is the advantage of every token: the mean over tokens of equal terms is the sequence's term
            advantage = advantages[row] if np.ndim(advantages) == 1 else advantages[row][t]
            bounded = min(max(ratio, 1 - config.clip_low), 1 + config.clip_high)
            total -= weight * min(ratio * advantage, bounded * advantage) / size
            if bounded * advantage < ratio * advantage:
                sums["clip_fraction"] += 1 / size
            else:
                slope[row, t] -= weight * ratio * advantage / size
            change = logprob[row][t] - old[row][t]
            sums["approx_kl"] += math.exp(change) - 1 - change
            if config.kl != "none":
                drift = logprob[row][t] - reference[row][t]
                sums["reference_kl"] += math.exp(-drift) - 1 + drift
                if config.kl == "k2_loss":
                    total += weight * config.kl_weight * drift**2 / 2 / size
                    slope[row, t] += weight * config.kl_weight * drift / size
    wanted = {name: (value, tokens_seen if name.endswith("kl") else rows) for name, value in sums.items()}
    if config.kl == "none":
        del wanted["reference_kl"]
    if config.sampler_cap is None and config.sampler_mask is None:
        del wanted["sampler_weight"], wanted["sampler_capped"], wanted["sampler_masked"]
    return {"total": total, "rows": rows, "slope": slope, "metrics": wanted}
