"""Lane code as C99.

The text uses vectors of eight doubles where the compiler has GNU's (gcc, clang), and the same statements on single
doubles elsewhere. It calls the C library only for sqrt, and for sin and cos far from zero.

Arguments are reduced by sums that a compiler must not reorder. Pragmas switch that off whatever the command line says;
a compiler that says that it does otherwise all the same, or that it keeps more digits than a double has, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from symland.kernels.coefficients import FAR
from symland.kernels.lanes import LANES, Address, Buffer, Item, Kind, LaneCode, Let, Load, Loop, Store
from symland.kernels.recorder import reads

__all__ = ["PRECISE", "PRELUDE", "VERSION", "function_text", "plain", "print_c", "signature"]

VERSION = 4
"""Raised whenever this module prints other text."""

PRECISE = """\
#include <float.h>
#include <math.h>
#include <stdint.h>

/* Sums must be carried out in their order: the arguments of exp, log and sin are reduced by them. */
#if defined(__clang__) || defined(_MSC_VER)
#pragma float_control(precise, on)
#elif defined(__GNUC__)
#pragma GCC optimize("no-fast-math", "no-unsafe-math-optimizations", "no-associative-math", "no-reciprocal-math")
#pragma GCC optimize("no-finite-math-only", "signed-zeros", "trapping-math")
#endif
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST)
#error "sums would be reordered: compile without -ffast-math, -Ofast and -funsafe-math-optimizations"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0
#error "NaN and infinity would be lost: compile without -ffinite-math-only"
#endif
/* 16, 32 and 64 speak of narrower types alone: doubles are doubles. */
#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 2 || FLT_EVAL_METHOD > 64
#error "doubles would be kept with more digits: compile with -msse2 -mfpmath=sse"
#endif
"""

PRELUDE = f"""\
{PRECISE}
#if defined(__GNUC__) && !defined(SYMLAND_SCALAR)
#define LANES {LANES}
typedef double lanes __attribute__((vector_size({8 * LANES}), aligned(8), may_alias));
typedef uint64_t words __attribute__((vector_size({8 * LANES}), aligned(8), may_alias));
typedef int64_t signs __attribute__((vector_size({8 * LANES}), aligned(8), may_alias));
typedef words mask;
#define ALL(x) ((lanes){{{", ".join(["(x)"] * LANES)}}})
#define WORDS(x) ((words){{{", ".join(["(x)"] * LANES)}}})
#define BITS(x) ((words)(x))
#define NUMBER(x) ((lanes)(x))
#define SIGNED(x) ((signs)(x))
#define TEST(x) ((mask)(x))
#define SELECT(m, a, b) NUMBER(((m) & BITS(a)) | (~(m) & BITS(b)))
#define BIT(x, k) (WORDS(0) - ((BITS(x) >> (k)) & WORDS(1)))
#else
#define LANES 1
typedef double lanes;
typedef uint64_t words;
typedef int64_t signs;
typedef int mask;
union pun {{
    double number;
    uint64_t word;
}};
#define ALL(x) (x)
#define WORDS(x) ((uint64_t)(x))
#define BITS(x) (((union pun){{.number = (x)}}).word)
#define NUMBER(x) (((union pun){{.word = (x)}}).number)
#define SIGNED(x) ((int64_t)(x))
#define TEST(x) (x)
#define SELECT(m, a, b) ((m) ? (a) : (b))
#define BIT(x, k) ((int)((BITS(x) >> (k)) & 1))
#endif
#define LANE(x, l) (((double *)&(x))[l])
#define ABS(x) NUMBER(BITS(x) & WORDS(UINT64_C(0x7fffffffffffffff)))
#define SIGN_OF(x) (BITS(x) & WORDS(UINT64_C(0x8000000000000000)))
#define LEAST(a, b) SELECT(TEST((a) < (b)), a, b)
#define MOST(a, b) SELECT(TEST((a) > (b)), a, b)
/* a / 2^k in [sqrt(1/2), sqrt(2)), and k: the words of a less those of sqrt(1/2) have k above bit 52. */
#define ABOVE(x) (BITS(x) - WORDS(UINT64_C(0x3fe6a09e667f3bcd)))
#define REDUCED(x) NUMBER(BITS(x) - (ABOVE(x) & WORDS(UINT64_C(0xfff0000000000000))))
#define OCTAVE(x) \\
    (NUMBER((words)(SIGNED(ABOVE(x)) >> 52) + WORDS(UINT64_C(0x4338000000000000))) - ALL(6755399441055744.0))
"""


def _double(value: Fraction | float) -> str:
    return float(value).hex()


def plain(name: str) -> str:
    """A C identifier, but for its first character."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)


def signature(code: LaneCode, name: str) -> str:
    """The declaration of the function, without a semicolon."""
    arguments = ["int64_t n", "double *work"]
    arguments += [f"const double *{plain(b.name)}" for b in code.named(Kind.DATA)]
    arguments += [f"const double *{plain(b.name)}" for b in code.named(Kind.INPUT)]
    arguments += [f"double *{plain(b.name)}" for b in code.named(Kind.OUTPUT)]
    return f"void {name}({', '.join(arguments)})"


def print_c(code: LaneCode, name: str, *, packed: bool = False, square: str = "hessian") -> str:
    """A source text with one function called `name`; see `symland.kernels.llvm.print_llvm`."""
    declaration = signature(code, name)
    return f"{PRELUDE}\n{declaration};\n\n{function_text(code, name, packed=packed, square=square)}"


def function_text(code: LaneCode, name: str, *, packed: bool = False, square: str = "hessian") -> str:
    """The definition of the function, and of the constants that it reads, to come after the prelude."""
    return _Printer(code, name, square, packed).text()


class _Printer:
    def __init__(self, code: LaneCode, name: str, square: str, packed: bool) -> None:
        self.code, self.name, self.square, self.packed = code, name, square, packed
        self.lines: list[str] = []
        self.indent = 2
        self.names: dict[int, str] = {}
        self.held = [b for b in code.buffers.values() if b.kind in (Kind.INPUT, Kind.LOCAL, Kind.OUTPUT)]
        self.offsets: dict[str, int] = {}
        offset = 0
        for buffer in self.held:
            self.offsets[buffer.name] = offset
            offset += buffer.size

    def put(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def text(self) -> str:
        constants = [self._constants(b) for b in self.code.named(Kind.BAKED)]
        for buffer in self.code.named(Kind.INPUT):
            self._gather(buffer)
        self._items(self.code.items)
        for buffer in self.code.named(Kind.OUTPUT):
            self._scatter(buffer)
        unread = [b.name for b in self.code.named(Kind.DATA) if b.name not in reads(self.code.items)]
        head = [
            signature(self.code, self.name) + " {",
            *(f"    (void){plain(name)};" for name in unread),
            "    lanes *const w = (lanes *)work;",
            "    for (int64_t i = 0; i < n; i += LANES) {",
            "        const int64_t below = i < n - LANES ? i : n - LANES;",
            "        const int64_t base = below > 0 ? below : 0;",
        ]
        return "\n".join([*constants, *head, *self.lines, "    }", "}", ""])

    def _constants(self, buffer: Buffer) -> str:
        values = ", ".join(_double(v) for v in buffer.values)
        return f"static const double {self.name}_{plain(buffer.name)}[{buffer.size}] = {{{values}}};\n"

    # -- rows and lanes -------------------------------------------------------------------------------------------

    def _rows(self) -> None:
        self.put("for (int64_t l = 0; l < LANES; l++) {")
        self.indent += 1
        self.put("const int64_t row = base + l < n ? base + l : n - 1;")

    def _end(self) -> None:
        self.indent -= 1
        self.put("}")

    def _gather(self, buffer: Buffer) -> None:
        self._rows()
        self.put(f"for (int64_t k = 0; k < {buffer.size}; k++)")
        place = f"({self.offsets[buffer.name]} + k) * LANES + l"
        self.put(f"    work[{place}] = {plain(buffer.name)}[row * {buffer.size} + k];")
        self._end()

    def _scatter(self, buffer: Buffer) -> None:
        out, offset, size = plain(buffer.name), self.offsets[buffer.name], buffer.size
        self._rows()
        side = round(size**0.5)
        if buffer.name == self.square and self.packed:
            self.put(f"double *next = {out} + row * {side * (side + 1) // 2};")
            self.put(f"for (int64_t p = 0; p < {side}; p++)")
            self.put(f"    for (int64_t q = p; q < {side}; q++)")
            self.put(f"        *next++ = work[({offset} + p * {side} + q) * LANES + l];")
        elif buffer.name == self.square:
            self.put(f"for (int64_t p = 0; p < {side}; p++)")
            self.put(f"    for (int64_t q = 0; q < {side}; q++)")
            place = f"{offset} + (p < q ? p * {side} + q : q * {side} + p)"
            self.put(f"        {out}[row * {size} + p * {side} + q] = work[({place}) * LANES + l];")
        else:
            self.put(f"for (int64_t k = 0; k < {size}; k++)")
            self.put(f"    {out}[row * {size} + k] = work[({offset} + k) * LANES + l];")
        self._end()

    # -- lane code ------------------------------------------------------------------------------------------------

    def _index(self, address: Address) -> str:
        parts = [str(address.constant), *(f"{step} * v{variable}" for variable, step in address.steps)]
        return " + ".join(parts)

    def _place(self, buffer: str, address: Address) -> str:
        offset = Address(self.offsets[buffer]).plus(address)
        return f"w[{self._index(offset)}]"

    def _items(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Let):
                self._let(item)
            elif isinstance(item, Load):
                self._load(item)
            elif isinstance(item, Store):
                self.put(f"{self._place(item.buffer, item.address)} = {self.names[item.argument]};")
            else:
                self._loop(item)

    def _load(self, item: Load) -> None:
        name = self.names[item.number] = f"t{item.number}"
        kind = self.code.buffers[item.buffer].kind
        if kind is Kind.BAKED or kind is Kind.DATA:
            array = plain(item.buffer) if kind is Kind.DATA else f"{self.name}_{plain(item.buffer)}"
            self.put(f"const double d{item.number} = {array}[{self._index(item.address)}];")
            self.put(f"const lanes {name} = ALL(d{item.number});")
        else:
            self.put(f"const lanes {name} = {self._place(item.buffer, item.address)};")

    def _loop(self, loop: Loop) -> None:
        for c in loop.carried:
            self.put(f"lanes c{c.inner} = {self.names[c.initial]};")
            self.names[c.inner] = self.names[c.result] = f"c{c.inner}"
        start = "0" if loop.from_ is None else f"v{loop.from_}"
        v = f"v{loop.variable}"
        self.put(f"for (int64_t {v} = {start}; {v} < {loop.stop}; {v}++) {{")
        self.indent += 1
        self._items(loop.body)
        for c in loop.carried:
            self.put(f"const lanes n{c.inner} = {self.names[c.following]};")
        for c in loop.carried:
            self.put(f"c{c.inner} = n{c.inner};")
        self._end()

    def _let(self, item: Let) -> None:
        if item.op in ("constant", "infinity"):
            text = "INFINITY" if item.op == "infinity" else _double(item.value or Fraction(0))
            self.names[item.number] = f"ALL({text})"
            return
        args = [self.names[a] for a in item.args]
        name = self.names[item.number] = f"t{item.number}"
        if item.op == "sqrt":
            self.put(f"lanes {name} = {args[0]};")
            self.put(f"for (int64_t l = 0; l < LANES; l++) LANE({name}, l) = sqrt(LANE({name}, l));")
            return
        if item.op in ("far_sin", "far_cos"):
            function = item.op.removeprefix("far_")
            self.put(f"lanes {name} = {args[1]}, x{item.number} = {args[0]};")
            far = f"fabs(LANE(x{item.number}, l)) > {_double(FAR)}"
            self.put("for (int64_t l = 0; l < LANES; l++)")
            self.put(f"    if ({far}) LANE({name}, l) = {function}(LANE(x{item.number}, l));")
            return
        kind = "mask" if item.op in ("less", "equal", "bit0", "bit1") else "lanes"
        self.put(f"const {kind} {name} = {self._expression(item.op, args)};")

    def _expression(self, op: str, args: Sequence[str]) -> str:
        infix = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
        if op in infix:
            return f"{args[0]} {infix[op]} {args[1]}"
        match op:
            case "neg":
                return f"-{args[0]}"
            case "abs" | "least" | "most" | "octave" | "reduced" | "select":
                return f"{op.upper()}({', '.join(args)})"
            case "copysign":
                return f"NUMBER(BITS(ABS({args[0]})) | SIGN_OF({args[1]}))"
            case "less":
                return f"TEST({args[0]} < {args[1]})"
            case "equal":
                return f"TEST({args[0]} == {args[1]})"
            case "bit0" | "bit1":
                return f"BIT({args[0]}, {op[-1]})"
            case "shift52":
                return f"NUMBER(BITS({args[0]}) << 52)"
            case "high":
                return f"NUMBER(BITS({args[0]}) & WORDS(UINT64_C(0xfffffffff8000000)))"
        raise AssertionError(op)
