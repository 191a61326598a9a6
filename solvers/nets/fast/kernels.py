"""The Triton kernels behind fused.py, which says what they are for. Importing this needs Triton.

Shape suffixes as in layers.py; M = B·S rows. Positions come as two tiles, `first` and `rest` of them: tiles
must be powers of two, and 82 is far from 128. With `keeps` a forward kernel also stores what its backward
kernel needs.

Both halves of a block are y = x + s·(W h), out = n·y, with h = σ(gate)·p, p = gate·up, s = 1/rms(p) (1 if not
normalised) and n = 1/rms(y); F is the inner width. Their gradients, for `d` the gradient of `out`:

    dy = n·(d - out·mean(d·out)),  dh = Wᵀ (s·dy),  dp = σ(gate)·dh - p·(s²/F)·sum(dy·(y - x)),
    dup = dp·gate,  dgate = dp·up + dh·p·σ(gate)·(1 - σ(gate)),  dx = dy + W_gateᵀ dgate + W_upᵀ dup.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def mix_positions(
    z, injection, gate_up, down, out, norms, scales, S, D,
    inner: tl.constexpr, first: tl.constexpr, rest: tl.constexpr, columns: tl.constexpr, chunk: tl.constexpr,
    injects: tl.constexpr, normalised: tl.constexpr, keeps: tl.constexpr, eps: tl.constexpr,
):  # fmt: skip
    """One puzzle and `columns` channels: everything about their positions is on the chip. Tiles are
    (positions, channels).
    """
    padded: tl.constexpr = first + rest
    base = tl.program_id(0).to(tl.int64) * S * D
    channel = tl.program_id(1) * columns + tl.arange(0, columns)
    low = tl.arange(0, first)
    high = first + tl.arange(0, rest)
    at_low = base + low[:, None] * D + channel[None, :]
    at_high = base + high[:, None] * D + channel[None, :]
    inside = high[:, None] < S
    x_low = tl.load(z + at_low)
    x_high = tl.load(z + at_high, mask=inside, other=0.0)
    if injects:
        x_low += tl.load(injection + at_low)
        x_high += tl.load(injection + at_high, mask=inside, other=0.0)
    x_low_t, x_high_t = tl.trans(x_low), tl.trans(x_high)  # (channels, positions)

    out_low = tl.zeros((columns, first), dtype=tl.float32)
    out_high = tl.zeros((columns, rest), dtype=tl.float32)
    squares = tl.zeros((columns,), dtype=tl.float32)
    for start in range(0, inner, chunk):
        unit = start + tl.arange(0, chunk)
        gate = tl.dot(x_low_t, tl.load(gate_up + unit[None, :] * padded + low[:, None]))
        gate = tl.dot(x_high_t, tl.load(gate_up + unit[None, :] * padded + high[:, None]), gate)
        up = tl.dot(x_low_t, tl.load(gate_up + (inner + unit[None, :]) * padded + low[:, None]))
        up = tl.dot(x_high_t, tl.load(gate_up + (inner + unit[None, :]) * padded + high[:, None]), up)
        product = gate * up
        if normalised:
            squares += tl.sum(product * product, axis=1)
        hidden = (tl.sigmoid(gate) * product).to(x_low.dtype)
        out_low = tl.dot(hidden, tl.load(down + low[None, :] * inner + unit[:, None]), out_low)
        out_high = tl.dot(hidden, tl.load(down + high[None, :] * inner + unit[:, None]), out_high)
    at_channel = tl.program_id(0).to(tl.int64) * D + channel
    if normalised:
        scale = tl.rsqrt(squares / inner + eps)
        out_low *= scale[:, None]
        out_high *= scale[:, None]
        if keeps:
            tl.store(scales + at_channel, scale)
    y_low = x_low.to(tl.float32) + tl.trans(out_low)
    # padded positions: x is 0 and so are their rows of `down`
    y_high = x_high.to(tl.float32) + tl.trans(out_high)
    total = tl.sum(y_low * y_low, axis=0) + tl.sum(y_high * y_high, axis=0)
    norm = tl.rsqrt(total / S + eps)
    if keeps:
        tl.store(norms + at_channel, norm)
    tl.store(out + at_low, (y_low * norm[None, :]).to(x_low.dtype))
    tl.store(out + at_high, (y_high * norm[None, :]).to(x_low.dtype), mask=inside)


@triton.jit
def mix_positions_backward(
    d_out, x, out, norms, scales, gate_up, down, d_x, d_gate_up, hiddens, scaled, S, D,
    inner: tl.constexpr, first: tl.constexpr, rest: tl.constexpr, columns: tl.constexpr, chunk: tl.constexpr,
    normalised: tl.constexpr,
):  # fmt: skip
    """The gradients of one puzzle and `columns` channels, and what the gradients of the weights are products
    of.

    Writes d_x (B, S, D), d_gate_up (B, 2F, D), h as hiddens (B, F, D) and s·dy as scaled (B, S, D).
    """
    padded: tl.constexpr = first + rest
    puzzle = tl.program_id(0).to(tl.int64)
    base = puzzle * S * D
    channel = tl.program_id(1) * columns + tl.arange(0, columns)
    low = tl.arange(0, first)
    high = first + tl.arange(0, rest)
    at_low = base + low[:, None] * D + channel[None, :]
    at_high = base + high[:, None] * D + channel[None, :]
    inside = high[:, None] < S
    d_low = tl.load(d_out + at_low).to(tl.float32)
    d_high = tl.load(d_out + at_high, mask=inside, other=0.0).to(tl.float32)
    o_low = tl.load(out + at_low).to(tl.float32)
    o_high = tl.load(out + at_high, mask=inside, other=0.0).to(tl.float32)
    norm = tl.load(norms + puzzle * D + channel)
    along = (tl.sum(d_low * o_low, axis=0) + tl.sum(d_high * o_high, axis=0)) / S
    dy_low = norm[None, :] * (d_low - o_low * along[None, :])
    dy_high = norm[None, :] * (d_high - o_high * along[None, :])
    x_low = tl.load(x + at_low)
    x_high = tl.load(x + at_high, mask=inside, other=0.0)
    if normalised:
        scale = tl.load(scales + puzzle * D + channel)
        update_low = o_low / norm[None, :] - x_low.to(tl.float32)
        update_high = o_high / norm[None, :] - x_high.to(tl.float32)
        shared = (
            (tl.sum(dy_low * update_low, axis=0) + tl.sum(dy_high * update_high, axis=0))
            * scale
            * scale
            / inner
        )
        scaled_low = (dy_low * scale[None, :]).to(x_low.dtype)
        scaled_high = (dy_high * scale[None, :]).to(x_low.dtype)
    else:
        scaled_low, scaled_high = dy_low.to(x_low.dtype), dy_high.to(x_low.dtype)
    tl.store(scaled + at_low, scaled_low)
    tl.store(scaled + at_high, scaled_high, mask=inside)

    x_low_t, x_high_t = tl.trans(x_low), tl.trans(x_high)  # (channels, positions)
    s_low_t, s_high_t = tl.trans(scaled_low), tl.trans(scaled_high)
    dx_low = tl.trans(dy_low)
    dx_high = tl.trans(dy_high)
    for start in range(0, inner, chunk):
        unit = start + tl.arange(0, chunk)
        gate_low = tl.load(gate_up + unit[:, None] * padded + low[None, :])  # (units, positions)
        gate_high = tl.load(gate_up + unit[:, None] * padded + high[None, :])
        up_low = tl.load(gate_up + (inner + unit[:, None]) * padded + low[None, :])
        up_high = tl.load(gate_up + (inner + unit[:, None]) * padded + high[None, :])
        gate = tl.dot(x_high_t, tl.trans(gate_high), tl.dot(x_low_t, tl.trans(gate_low)))  # (channels, units)
        up = tl.dot(x_high_t, tl.trans(up_high), tl.dot(x_low_t, tl.trans(up_low)))
        dh = tl.dot(s_low_t, tl.load(down + low[:, None] * inner + unit[None, :]))
        dh = tl.dot(s_high_t, tl.load(down + high[:, None] * inner + unit[None, :]), dh)
        product, sigmoid = gate * up, tl.sigmoid(gate)
        dp = sigmoid * dh
        if normalised:
            dp -= shared[:, None] * product
        d_up = (dp * gate).to(x_low.dtype)
        d_gate = (dp * up + dh * product * sigmoid * (1 - sigmoid)).to(x_low.dtype)
        at = (puzzle * inner + unit[None, :]) * D + channel[:, None]
        tl.store(hiddens + at, (sigmoid * product).to(x_low.dtype))
        at += (puzzle * inner) * D  # the rows of d_gate_up are twice as many
        tl.store(d_gate_up + at, d_gate)
        tl.store(d_gate_up + at + inner * D, d_up)
        dx_low = tl.dot(d_up, up_low, tl.dot(d_gate, gate_low, dx_low))
        dx_high = tl.dot(d_up, up_high, tl.dot(d_gate, gate_high, dx_high))
    tl.store(d_x + at_low, tl.trans(dx_low).to(x_low.dtype))
    tl.store(d_x + at_high, tl.trans(dx_high).to(x_low.dtype), mask=inside)


@triton.jit
def gated(
    x, gate_up, out, squares, kept, M, D: tl.constexpr, inner: tl.constexpr, programs: tl.constexpr,
    rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr, normalised: tl.constexpr,
    keeps: tl.constexpr,
):  # fmt: skip
    """h = σ(x Wg)·(x Wg)·(x Wu) of weights whose rows are gate, up, gate, up, …; x, gate_up and out are
    tensor descriptors.

    A fixed number of programs goes through the tiles, so that the next one is loaded while this one is
    finished; tiles that run side by side share rows of x, which so come from the cache.
    """
    across: tl.constexpr = inner // columns
    for tile in tl.range(tl.program_id(0), tl.cdiv(M, rows) * across, programs, flatten=True):
        top, part = (tile // across) * rows, tile % across
        both = tl.zeros((rows, 2 * columns), dtype=tl.float32)
        for start in range(0, D, depth):
            both = tl.dot(x.load([top, start]), gate_up.load([part * 2 * columns, start]).T, both)
        row = (top + tl.arange(0, rows)).to(tl.int64)
        inside = row < M
        if keeps:
            pair = part * 2 * columns + tl.arange(0, 2 * columns)
            at = row[:, None] * (2 * inner) + pair[None, :]
            tl.store(kept + at, both.to(kept.dtype.element_ty), mask=inside[:, None])
        gate, up = tl.split(both.reshape(rows, columns, 2))
        product = gate * up
        if normalised:
            tl.store(squares + part * M + row, tl.sum(product * product, axis=1), mask=inside)
        out.store([top, part * columns], (tl.sigmoid(gate) * product).to(out.dtype))


@triton.jit
def gated_backward(
    d_hidden, kept, shared, d_gate_up, M,
    inner: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr, normalised: tl.constexpr,
):  # fmt: skip
    """A tile of the gradients of gate and up, (M, 2F), from dh (M, F), the kept gate and up, and the row's
    share in p.
    """
    row = tl.program_id(1).to(tl.int64) * rows + tl.arange(0, rows)
    unit = tl.program_id(0) * columns + tl.arange(0, columns)
    pair = tl.program_id(0) * 2 * columns + tl.arange(0, 2 * columns)
    inside = row < M
    dh = tl.load(d_hidden + row[:, None] * inner + unit[None, :], mask=inside[:, None], other=0.0).to(
        tl.float32
    )
    at = row[:, None] * (2 * inner) + pair[None, :]
    both = tl.load(kept + at, mask=inside[:, None], other=0.0).to(tl.float32)
    gate, up = tl.split(both.reshape(rows, columns, 2))
    product, sigmoid = gate * up, tl.sigmoid(gate)
    dp = sigmoid * dh
    if normalised:
        dp -= tl.load(shared + row, mask=inside, other=0.0)[:, None] * product
    d_gate = dp * up + dh * product * sigmoid * (1 - sigmoid)
    out = tl.join(d_gate, dp * gate).reshape(rows, 2 * columns)
    tl.store(d_gate_up + at, out.to(d_hidden.dtype.element_ty), mask=inside[:, None])


@triton.jit
def add_and_norm(
    x, update, squares, out, norms, scales, M, inner,
    D: tl.constexpr, parts: tl.constexpr, rows: tl.constexpr, keeps: tl.constexpr, eps: tl.constexpr,
):  # fmt: skip
    """Some rows of rms_norm(x + update · rsqrt(mean of squares))."""
    row = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
    inside = row < M
    at = row[:, None] * D + tl.arange(0, D)[None, :]
    y = tl.load(update + at, mask=inside[:, None], other=0.0).to(tl.float32)
    if parts > 0:
        total = tl.zeros((rows,), dtype=tl.float32)
        for part in range(parts):
            total += tl.load(squares + part * M + row, mask=inside, other=0.0)
        scale = tl.rsqrt(total / inner + eps)
        y *= scale[:, None]
        if keeps:
            tl.store(scales + row, scale, mask=inside)
    y += tl.load(x + at, mask=inside[:, None], other=0.0).to(tl.float32)
    norm = tl.rsqrt(tl.sum(y * y, axis=1) / D + eps)
    if keeps:
        tl.store(norms + row, norm, mask=inside)
    tl.store(out + at, (y * norm[:, None]).to(out.dtype.element_ty), mask=inside[:, None])


@triton.jit
def add_and_norm_backward(
    d_out, x, out, norms, scales, d_y, scaled, shared, M, inner,
    D: tl.constexpr, rows: tl.constexpr, normalised: tl.constexpr,
):  # fmt: skip
    """Some rows of dy, of s·dy, and of what dp takes off p: (s²/F)·sum(dy·(y - x))."""
    row = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
    inside = row < M
    at = row[:, None] * D + tl.arange(0, D)[None, :]
    d = tl.load(d_out + at, mask=inside[:, None], other=0.0).to(tl.float32)
    o = tl.load(out + at, mask=inside[:, None], other=0.0).to(tl.float32)
    norm = tl.load(norms + row, mask=inside, other=1.0)
    dy = norm[:, None] * (d - o * (tl.sum(d * o, axis=1) / D)[:, None])
    tl.store(d_y + at, dy.to(d_y.dtype.element_ty), mask=inside[:, None])
    if normalised:
        scale = tl.load(scales + row, mask=inside, other=0.0)
        update = o / norm[:, None] - tl.load(x + at, mask=inside[:, None], other=0.0).to(tl.float32)
        tl.store(shared + row, tl.sum(dy * update, axis=1) * scale * scale / inner, mask=inside)
        tl.store(scaled + at, (dy * scale[:, None]).to(d_y.dtype.element_ty), mask=inside[:, None])
