"""Faults planted in programs, in recorded code and in emitted text: each is caught, and by the check that should.

a proof        a fault in the formulas of the activation and the head
b identity     a fault in the derivation program
b recording    a fault in the lane code
c enclosure    a fault in the emitted text or in a polynomial
c calls, index a fault in the call layer: `tests.kernels.test_calls`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symland.kernels import elementary
from symland.kernels.checks import check_enclosure, check_primitives, check_recording
from symland.kernels.elementary import inline
from symland.kernels.engines import ENTRY, kernel_ports, native, record_code, workspace
from symland.kernels.lanes import Address, Item, LaneCode, Let, Load, Loop, Store
from symland.kernels.llvm import print_llvm
from symland.machine.llvm import LoadedObject, make_object
from symland.program.derive import build_program
from symland.program.identity import check_identity
from symland.program.ir import Apply, Contract, Formula, Program, Ref
from symland.program.proof import prove_activation, prove_head, prove_program, prove_structure
from symland.records import Verdict
from symland.spec import LandscapeSpec, load_spec
from tests.kernels.test_calls import CALL_FAULTS

WANT = ("value", "gradient", "hessian")


@pytest.fixture(scope="module")
def spec() -> LandscapeSpec:
    return load_spec("xor")


# -- the derivation program ---------------------------------------------------------------------------------------


def with_statement(program: Program, number: int, *new: Contract | Apply) -> Program:
    s = program.statements
    return replace(program, statements=(*s[:number], *new, *s[number + 1 :]))


def contracts(program: Program) -> list[int]:
    return [k for k, s in enumerate(program.statements) if isinstance(s, Contract)]


def find(program: Program, out: str) -> int:
    return next(k for k in contracts(program) if program.statements[k].out.array == out)


def sign(out: str) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = find(program, out)
        s = program.statements[k]
        return with_statement(program, k, replace(s, coefficient=-s.coefficient))

    return plant


def dropped(out: str) -> Callable[[Program], Program]:
    return lambda program: with_statement(program, find(program, out))


def factor(out: str, position: int, array: str) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = find(program, out)
        s = program.statements[k]
        factors = list(s.factors)
        factors[position] = Ref(array, factors[position].index)
        return with_statement(program, k, replace(s, factors=tuple(factors)))

    return plant


def index(out: str, position: int, new: tuple[str | int, ...]) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = find(program, out)
        s = program.statements[k]
        factors = list(s.factors)
        factors[position] = Ref(factors[position].array, new)
        return with_statement(program, k, replace(s, factors=tuple(factors)))

    return plant


def target(out: str, new: tuple[str | int, ...]) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = find(program, out)
        s = program.statements[k]
        return with_statement(program, k, replace(s, out=Ref(s.out.array, new)))

    return plant


def coefficient(out: str, value: Fraction) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = find(program, out)
        return with_statement(program, k, replace(program.statements[k], coefficient=value))

    return plant


def swapped_jet(first: int, second: int) -> Callable[[Program], Program]:
    def plant(program: Program) -> Program:
        k = next(k for k, s in enumerate(program.statements) if isinstance(s, Apply) and s.formula == "activation")
        s = program.statements[k]
        outs = list(s.outs)
        outs[first], outs[second] = outs[second], outs[first]
        return with_statement(program, k, replace(s, outs=tuple(outs)))

    return plant


PROGRAM_FAULTS: dict[str, Callable[[Program], Program]] = {
    "sign of the residual": sign("delta2"),
    "sign of the penalty": sign("penalised0:gradient"),
    "sign of a block": sign("hessian:W1,W1"),
    "sign of the jacobian": sign("G2,1"),
    "dropped bias": dropped("s1"),
    "dropped gradient of the biases": dropped("gradient:b1"),
    "dropped block": dropped("hessian:W1,b1"),
    "dropped penalty of the Hessian": dropped("penalised0:hessian"),
    "slope in place of the signal": factor("sum:gradient:W2", 1, "p1"),
    "curvature in place of the slope": factor("delta1", 0, "q1"),
    "signal in place of the slope": factor("G2,1", 1, "a1"),
    "transposed block": target("sum:hessian:W1,W2", ("K1", "k0", "J2", "j1")),
    "transposed weights": target("gradient:W1", ("k0", "j1")),
    "wrong input": index("gradient:W1", 1, ("d", 0)),
    "wrong node": index("delta1", 1, ("d", 0)),
    "wrong sample": index("delta2", 1, (0, "i2")),
    "half of the penalty": coefficient("penalised0:gradient", Fraction(1)),
    "sum in place of the mean": coefficient("value", Fraction(1)),
    "swapped value and slope": swapped_jet(0, 1),
    "swapped slope and curvature": swapped_jet(1, 2),
}


@pytest.mark.parametrize("fault", PROGRAM_FAULTS)
def test_a_fault_in_the_program_fails_the_identity_test(spec: LandscapeSpec, fault: str) -> None:
    program = build_program(spec)
    assert check_identity(spec, program).verdict is Verdict.CERTIFIED
    assert check_identity(spec, PROGRAM_FAULTS[fault](program)).verdict is Verdict.REFUTED


DIRECTED_FAULTS: dict[str, tuple[str, Callable[[Program], Program]]] = {
    "sign of the moved residual": ("product", sign("Rdelta2")),
    "dropped curvature of the activation": ("product", lambda p: with_statement(p, last(p, "Rdelta1"))),
    "weights in place of the direction": ("product", factor("Rs1", 0, "W1")),
    "dropped penalty of the product": ("product", dropped("penalised0:product")),
    "mean in place of the sample": ("per_sample", coefficient("per_sample:W1", Fraction(1))),
    "first sample for every sample": ("per_sample", index("per_sample:W1", 1, (0, "k1"))),
}


def last(program: Program, out: str) -> int:
    return [k for k in contracts(program) if program.statements[k].out.array == out][-1]


@pytest.mark.parametrize("fault", DIRECTED_FAULTS)
def test_a_fault_in_a_further_output_fails_the_identity_test(spec: LandscapeSpec, fault: str) -> None:
    want, plant = DIRECTED_FAULTS[fault]
    program = build_program(spec, (want,))
    assert check_identity(spec, program).verdict is Verdict.CERTIFIED
    assert check_identity(spec, plant(program)).verdict is Verdict.REFUTED


# -- the formulas, and the program for any activation and head ----------------------------------------------------


def formula(name: str, change: Callable[[Formula], Formula]) -> Callable[[Program], Program]:
    return lambda program: replace(program, formulas={**program.formulas, name: change(program.formulas[name])})


def exchanged(first: int, second: int) -> Callable[[Formula], Formula]:
    def change(f: Formula) -> Formula:
        outputs = list(f.outputs)
        outputs[first], outputs[second] = outputs[second], outputs[first]
        return replace(f, outputs=tuple(outputs))

    return change


def instruction(which: str, **new: object) -> Callable[[Formula], Formula]:
    def change(f: Formula) -> Formula:
        k = next(k for k, i in enumerate(f.instructions) if i.op == which)
        changed = replace(f.instructions[k], **new)  # type: ignore[arg-type]
        return replace(f, instructions=(*f.instructions[:k], changed, *f.instructions[k + 1 :]))

    return change


FORMULA_FAULTS: dict[str, tuple[str, Callable[[Formula], Formula]]] = {
    "slope and curvature of the formula exchanged": ("activation", exchanged(1, 2)),
    "constant of the curvature off in the 10th digit": (
        "activation",
        instruction("constant", value=-2 - Fraction(1, 10**10)),
    ),
    "tanh for sech2 in the jet": ("activation", instruction("sech2", op="tanh")),
    "residual and curvature of the head exchanged": ("head", exchanged(1, 2)),
    "logistic for softplus in the head": ("head", instruction("softplus", op="logistic")),
}


@pytest.mark.parametrize("fault", FORMULA_FAULTS)
def test_a_fault_in_a_formula_fails_the_proof(spec: LandscapeSpec, fault: str) -> None:
    name, change = FORMULA_FAULTS[fault]
    prove = prove_activation if name == "activation" else prove_head
    program = build_program(spec)
    assert prove(spec, program).verdict is Verdict.CERTIFIED
    assert prove(spec, formula(name, change)(program)).verdict is Verdict.REFUTED


def test_the_proof_of_the_formulas_does_not_end_with_small_networks() -> None:
    structure, activation, head = prove_program(load_spec("xor", hidden=(9,)))
    assert structure.verdict is Verdict.UNDECIDED
    assert activation.verdict is head.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    "fault", ["sign of the residual", "sign of a block", "transposed weights", "half of the penalty"]
)
def test_a_fault_in_a_small_program_fails_the_proof_too(fault: str) -> None:
    small = load_spec("xor", hidden=(2,)).with_(bias=False)
    assert prove_structure(small, PROGRAM_FAULTS[fault](build_program(small))).verdict is Verdict.REFUTED


# -- the lane code ------------------------------------------------------------------------------------------------


def every(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item, Loop):
            yield from every(item.body)


def edited(code: LaneCode, old: Item, *new: Item) -> LaneCode:
    def block(items: tuple[Item, ...]) -> tuple[Item, ...]:
        out: list[Item] = []
        for item in items:
            if item is old:
                out.extend(new)
            elif isinstance(item, Loop):
                out.append(replace(item, body=block(item.body)))
            else:
                out.append(item)
        return tuple(out)

    return replace(code, items=block(code.items))


def nth(code: LaneCode, number: int, chosen: Callable[[Item], bool]) -> Item:
    items = [item for item in every(code.items) if chosen(item)]
    return items[number % len(items)]


def operation(op: str, number: int, new: str) -> Callable[[LaneCode], LaneCode]:
    def plant(code: LaneCode) -> LaneCode:
        let = nth(code, number, lambda item: isinstance(item, Let) and item.op == op)
        return edited(code, let, replace(let, op=new))

    return plant


def turned(op: str, number: int) -> Callable[[LaneCode], LaneCode]:
    def plant(code: LaneCode) -> LaneCode:
        let = nth(code, number, lambda item: isinstance(item, Let) and item.op == op)
        return edited(code, let, replace(let, args=let.args[::-1]))

    return plant


def shifted_load(number: int) -> Callable[[LaneCode], LaneCode]:
    def plant(code: LaneCode) -> LaneCode:
        load = nth(code, number, lambda item: isinstance(item, Load) and item.buffer == "theta")
        moved = replace(load, address=Address((load.address.constant + 1) % 12, load.address.steps))
        return edited(code, load, moved)

    return plant


def shifted_store(number: int) -> Callable[[LaneCode], LaneCode]:
    def plant(code: LaneCode) -> LaneCode:
        store = nth(code, number, lambda item: isinstance(item, Store) and item.buffer == "hessian")
        return edited(code, store, replace(store, address=store.address.plus(Address(1))))

    return plant


def dropped_store(number: int) -> Callable[[LaneCode], LaneCode]:
    return lambda code: edited(code, nth(code, number, lambda item: isinstance(item, Store)))


def scaled_constant(number: int) -> Callable[[LaneCode], LaneCode]:
    def plant(code: LaneCode) -> LaneCode:
        let = nth(code, number, lambda item: isinstance(item, Let) and item.op == "constant" and bool(item.value))
        return edited(code, let, replace(let, value=(let.value or 0) * (1 + Fraction(1, 10**10))))

    return plant


LANE_FAULTS: dict[str, Callable[[LaneCode], LaneCode]] = {
    "sub for add": operation("add", 5, "sub"),
    "sub for add, late": operation("add", -3, "sub"),
    "add for mul": operation("mul", 7, "add"),
    "tanh for sech2": operation("sech2", 1, "tanh"),
    "logistic for softplus": operation("softplus", 2, "logistic"),
    "turned difference": turned("sub", 0),
    "wrong parameter": shifted_load(3),
    "wrong parameter, late": shifted_load(11),
    "wrong place in the Hessian": shifted_store(4),
    "dropped entry": dropped_store(0),
    "dropped entry, late": dropped_store(-1),
    "constant off in the 10th digit": scaled_constant(0),
}


@pytest.mark.parametrize("fault", LANE_FAULTS)
def test_a_fault_in_the_recorded_code_fails_the_recording_test(spec: LandscapeSpec, fault: str) -> None:
    program, code = record_code(spec, WANT)
    assert check_recording(program, code).verdict is Verdict.CERTIFIED
    assert check_recording(program, LANE_FAULTS[fault](code)).verdict is Verdict.REFUTED


LOOP_FAULTS: dict[str, Callable[[Loop], Loop]] = {
    "one turn too few": lambda loop: replace(loop, stop=loop.stop - 1),
    "wrong start of a carried sum": lambda loop: replace(
        loop, carried=tuple(replace(c, initial=loop.carried[-1].initial, following=c.inner) for c in loop.carried)
    ),
}


@pytest.mark.parametrize("fault", LOOP_FAULTS)
def test_a_fault_in_a_loop_fails_the_recording_test(fault: str) -> None:
    program, code = record_code(load_spec("xor", hidden=(40,)), ("value", "gradient"))
    loop = nth(code, 0, lambda item: isinstance(item, Loop) and bool(item.carried))
    assert isinstance(loop, Loop)
    assert check_recording(program, edited(code, loop, LOOP_FAULTS[fault](loop))).verdict is Verdict.REFUTED


# -- the emitted text ---------------------------------------------------------------------------------------------


def verdict_of_text(spec: LandscapeSpec, plant: Callable[[str], str]) -> Verdict:
    program, code = record_code(spec, WANT)
    inlined = inline(code)
    text = print_llvm(inlined, ENTRY)
    planted = plant(text)
    loaded = LoadedObject(make_object(planted))
    call = native(loaded, workspace(inlined), kernel_ports(spec, WANT))
    p = spec.n_parameters

    def evaluate(theta: np.ndarray) -> list[np.ndarray]:
        n = len(theta)
        outputs = [np.empty(n), np.empty((n, p)), np.empty((n, p, p))]
        call((n,), (theta, *outputs))
        return outputs

    checks = [*check_enclosure(spec, program, evaluate), *check_primitives(code)]
    return Verdict.REFUTED if any(c.verdict is Verdict.REFUTED for c in checks) else Verdict.CERTIFIED


def line(pattern: str, number: int, old: str, new: str) -> Callable[[str], str]:
    """Replace in the numbered line that holds a pattern."""

    def plant(text: str) -> str:
        lines = text.split("\n")
        at = [k for k, content in enumerate(lines) if re.search(pattern, content)]
        k = at[number % len(at)]
        assert old in lines[k]
        lines[k] = lines[k].replace(old, new, 1)
        return "\n".join(lines)

    return plant


TEXT_FAULTS: dict[str, Callable[[str], str]] = {
    "subtraction for addition": line(r"fadd contract", 40, "fadd", "fsub"),
    "subtraction for addition, late": line(r"fadd contract", -9, "fadd", "fsub"),
    "product for sum": line(r"fadd contract", 90, "fadd", "fmul"),
    "wrong lane on the way in": line(r"shufflevector.*i32 0, i32 8", 0, "i32 0, i32 8", "i32 8, i32 0"),
    "wrong lane on the way out": line(r"shufflevector.*i32 1, i32 9", -1, "i32 1, i32 9", "i32 9, i32 1"),
    "wrong half of a block": line(r"shufflevector.*i32 2, i32 3, i32 10", 1, "i32 2, i32 3", "i32 0, i32 1"),
    "row for row": line(r"add nsw i64 %t\d+, 3$", 0, ", 3", ", 2"),
    "exponent shifted too little": line(r"shl <8 x i64>", 1, "i64 52,", "i64 51,"),
    "smaller for larger": line(r"fcmp ogt", 0, "ogt", "olt"),
    "larger for smaller": line(r"fcmp olt", 1, "olt", "ogt"),
    "wrong place in the gradient": line(r"getelementptr inbounds double, ptr %t\d+, i64 4$", -1, "i64 4", "i64 3"),
}


@pytest.fixture(scope="module")
def sound_text(spec: LandscapeSpec) -> Verdict:
    return verdict_of_text(spec, lambda text: text)


@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_a_fault_in_the_emitted_text_fails_the_enclosures(spec: LandscapeSpec, sound_text: Verdict, fault: str) -> None:
    assert sound_text is Verdict.CERTIFIED
    assert verdict_of_text(spec, TEXT_FAULTS[fault]) is Verdict.REFUTED


COEFFICIENT_FAULTS = [
    ("EXPM1_DOUBLE", 1, "tanh"),
    ("EXPM1_DOUBLE", 4, "tanh"),
    ("EXP", 0, "tanh"),
    ("LOG", 0, "tanh"),
    ("SIN", 0, "sin"),
    ("COS", 0, "sin"),
    ("ERF_SMALL", 2, "erf"),
    ("ERFCX", 1, "erf"),
]


@pytest.mark.parametrize(("name", "number", "activation"), COEFFICIENT_FAULTS)
def test_a_coefficient_off_in_the_10th_digit_fails_the_enclosures(
    monkeypatch: pytest.MonkeyPatch, spec: LandscapeSpec, name: str, number: int, activation: str
) -> None:
    coefficients = list(getattr(elementary, name))
    coefficients[number] *= 1 + Fraction(1, 10**10)
    monkeypatch.setattr(elementary, name, tuple(coefficients))
    assert verdict_of_text(spec.with_(activation=activation), lambda text: text) is Verdict.REFUTED


def test_the_manual_names_every_fault_and_the_check_that_catches_it() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "kernels.md").read_text(encoding="utf-8")
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in manual.splitlines() if "|" in line]
    caught = {(row[0], row[-1]) for row in rows}
    expected = {
        "a proof": FORMULA_FAULTS,
        "b identity": [*PROGRAM_FAULTS, *DIRECTED_FAULTS],
        "b recording": [*LANE_FAULTS, *LOOP_FAULTS],
        "c enclosure": TEXT_FAULTS,
        "c calls": [fault for fault, (check, _) in CALL_FAULTS.items() if check.startswith("calls")],
        "c index": [fault for fault, (check, _) in CALL_FAULTS.items() if check == "index"],
        "c primitives": [f"coefficient {number} of {name}" for name, number, _ in COEFFICIENT_FAULTS],
    }
    assert {(fault, check) for check, faults in expected.items() for fault in faults} <= caught
    assert sum(map(len, expected.values())) >= 40
