"""The core's peak: fused multiply-adds on independent vectors, as many a second as it can do."""

from __future__ import annotations

import ctypes
import time

from symland.kernels.lanes import LANES
from symland.machine.llvm import LoadedObject, make_object

CHAINS = 12
"""Independent sums: more than the latency of a multiply-add times its throughput."""

TURNS = 2_000_000


def measure_peak() -> float:
    """Vector multiply-adds of eight doubles in a nanosecond."""
    vector = f"<{LANES} x double>"
    half = f"<{', '.join(['double 0x3FE0000000000000'] * LANES)}>"
    phis = "\n".join(f"  %a{k} = phi {vector} [ {half}, %entry ], [ %b{k}, %loop ]" for k in range(CHAINS))
    sums = "\n".join(
        f"  %b{k} = call {vector} @llvm.fma.v{LANES}f64({vector} %a{k}, {vector} {half}, {vector} {half})"
        for k in range(CHAINS)
    )
    total, lines = "%b0", []
    for k in range(1, CHAINS):
        lines.append(f"  %c{k} = fadd {vector} {total}, %b{k}")
        total = f"%c{k}"
    text = f"""
declare {vector} @llvm.fma.v{LANES}f64({vector}, {vector}, {vector})
define void @peak(i64 %n, ptr %out) "min-legal-vector-width"="512" "prefer-vector-width"="512" {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{sums}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %exit
exit:
{chr(10).join(lines)}
  store {vector} {total}, ptr %out, align 8
  ret void
}}
"""
    loaded = LoadedObject(make_object(text))
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(loaded.address("peak"))
    out = (ctypes.c_double * LANES)()
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        run(TURNS, ctypes.addressof(out))
        best = min(best, time.process_time() - start)
    return TURNS * CHAINS / best / 1e9
