"""Qwen3's forward pass in float64 numpy, one token and one head at a time, written from the report and not from our code."""

import numpy as np


def _norm(x, scale, eps):
    return x / np.sqrt(np.mean(x**2) + eps) * scale


def _turn(x, position, theta):
    """The complex view of rotary embedding: pair (i, i + d/2) is a complex number turned by position * theta^(-2i/d)."""
    half = len(x) // 2
    turned = (x[:half] + 1j * x[half:]) * np.exp(1j * position * theta ** (-2.0 * np.arange(half) / len(x)))
    return np.concatenate([turned.real, turned.imag])


def forward(config, params, tokens, positions, segments):
    """Final-normed hidden states [S, D] of one row."""
    eps, theta, d = config.norm_eps, config.rope_theta, config.head_dim
    stream = [params["embedding"][t].astype(np.float64) for t in tokens]
    for index in range(config.num_layers):
        attention, mlp = ({k: _at(v, index) for k, v in params["layers"][name].items()} for name in ("attention", "mlp"))
        first, second = (np.asarray(params["layers"][name]["scale"][index], np.float64) for name in ("attention_norm", "mlp_norm"))
        queries, keys, values = [], [], []
        for x, position in zip(stream, positions):
            y = _norm(x, first, eps)
            queries.append(
                [_turn(_norm(y @ attention["q"][:, h], attention["q_norm"], eps), position, theta) for h in range(config.num_heads)]
            )
            keys.append(
                [_turn(_norm(y @ attention["k"][:, h], attention["k_norm"], eps), position, theta) for h in range(config.num_kv_heads)]
            )
            values.append([y @ attention["v"][:, h] for h in range(config.num_kv_heads)])
        after = []
        for s, x in enumerate(stream):
            seen = [t for t in range(s + 1) if segments[t] == segments[s]]
            for h in range(config.num_heads):
                shared = h * config.num_kv_heads // config.num_heads
                scores = np.array([queries[s][h] @ keys[t][shared] for t in seen]) / np.sqrt(d)
                weights = np.exp(scores - scores.max())
                mixed = sum(w * values[t][shared] for w, t in zip(weights / weights.sum(), seen))
                x = x + mixed @ attention["out"][h]
            y = _norm(x, second, eps)
            gate = y @ mlp["gate"]
            after.append(x + (gate / (1 + np.exp(-gate)) * (y @ mlp["up"])) @ mlp["down"])
        stream = after
    return np.stack([_norm(x, np.asarray(params["final_norm"]["scale"], np.float64), eps) for x in stream])


def _at(leaf, index):
    return np.asarray(leaf["scale"] if isinstance(leaf, dict) else leaf, np.float64)[index]
