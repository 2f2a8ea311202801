"""At few points of many samples, sums over lanes of samples are what the program says, at any number of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from symland.datasets import Dataset
from symland.errors import KernelError, VerificationError
from symland.kernels import checks, compile_kernel, samples, verify_kernel
from symland.kernels.engines import ENTRY
from symland.kernels.kernel import CompiledKernel
from symland.kernels.lanes import Address, Buffer, Kind
from symland.kernels.llvm import print_llvm, written_once
from symland.kernels.recorder import Recorder
from symland.kernels.samples import FEW_POINTS, GROUPS, MANY_SAMPLES, few_points
from symland.machine.gate import Entry, Port
from symland.machine.llvm import LoadedObject, make_object
from symland.program.derive import build_program
from symland.records import Verdict
from symland.spec import LandscapeSpec, Loss, Penalised

EPS = np.finfo(float).eps


MOST = 1000


def network(count: int, loss: str = "softmax", *, seed: int = 0, **changes: object) -> LandscapeSpec:
    """A network of three inputs with the first of many random samples: the code of a group is that of any number."""
    draw = np.random.default_rng(seed)
    inputs = tuple(tuple(Fraction(int(v), 8) for v in row) for row in draw.integers(-20, 20, (MOST, 3))[:count])
    if loss == "squared":
        values = tuple(tuple(Fraction(int(v), 4) for v in row) for row in draw.integers(-9, 9, (MOST, 2))[:count])
        data = Dataset(name="many", inputs=inputs, values=values)
    else:
        top = 2 if loss == "logistic" else 3
        data = Dataset(name="many", inputs=inputs, labels=tuple(int(v) for v in draw.integers(0, top, MOST)[:count]))
    outputs = {"softmax": 3, "logistic": 1, "squared": 2}[loss]
    given = {"hidden": (5,), "penalty": Fraction(1, 37), **changes}
    return LandscapeSpec(name="many", data=data, loss=Loss(loss), outputs=outputs, **given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def small_networks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes over samples also where the call takes longer than the work, so that the networks may be small."""
    monkeypatch.setattr(samples, "WORK", 1)


def agree(kernel: CompiledKernel, n: int, seed: int = 0) -> None:
    spec, draw = kernel.spec, np.random.default_rng(seed)
    theta, along = draw.normal(size=(2, n, spec.n_parameters))
    plain = compile_kernel(spec, engine="numpy", verify=False)
    value, gradient = plain.value_gradient(theta)
    product = plain.hessian_product(theta, along)
    scale = 200 * EPS * (1 + np.abs(along).max())
    for got, wanted in (
        (kernel.value(theta), value),
        (kernel.gradient(theta), gradient),
        (kernel.value_gradient(theta)[0], value),
        (kernel.value_gradient(theta)[1], gradient),
        (kernel.hessian_product(theta, along), product),
    ):
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= scale * (1 + np.abs(wanted).max())


@pytest.mark.parametrize("count", [MANY_SAMPLES - 1, *range(MANY_SAMPLES, MANY_SAMPLES + 9), 101, 150])
def test_every_number_of_samples_is_summed_right(count: int) -> None:
    agree(compile_kernel(network(count, hidden=(2,))), 1 + count % (FEW_POINTS + 1))


@pytest.mark.parametrize(
    "spec",
    [
        network(40, "logistic", bias=False),
        network(41, "squared", activation="z*sigmoid(z)"),
        network(42, penalised=Penalised.WEIGHTS, activation="sin"),
        network(43, hidden=(4, 3)),
        network(44, hidden=(18,)),
    ],
    ids=lambda spec: f"{spec.loss.value} {spec.activation} {spec.hidden}",
)
def test_every_kind_of_network_is(spec: LandscapeSpec) -> None:
    kernel = compile_kernel(spec)
    for n in (1, FEW_POINTS, FEW_POINTS + 1):
        agree(kernel, n, n)


def test_groups_leave_few_lanes_idle_and_little_over() -> None:
    assert [samples._group(count, GROUPS) for count in (150, 1000, 128)] == [5, 5, 4]
    for count in range(MANY_SAMPLES, 400):
        group = samples._group(count, GROUPS)
        strips = -(-(count // group) // 8)
        assert group in GROUPS
        assert strips * group * 8 + 8 * (count % group > 0) <= count + 8 * max(GROUPS)


def test_an_output_that_is_written_twice_or_read_is_summed_behind_the_code() -> None:
    rec = Recorder()
    for name, kind in (("x", Kind.INPUT), ("once", Kind.OUTPUT), ("twice", Kind.OUTPUT), ("read", Kind.OUTPUT)):
        rec.buffer(Buffer(name=name, kind=kind, size=3))
    v = rec.open()
    value = rec.load("x", Address(0, ((v, 1),)))
    rec.store("once", Address(0, ((v, 1),)), value)
    rec.store("twice", Address(0), value)
    rec.store("read", Address(0, ((v, 1),)), value)
    rec.close(3)
    rec.store("twice", Address(1), rec.load("read", Address(1), stay=True))
    code = rec.code()
    assert written_once(code) == {"once"}
    loaded = LoadedObject(make_object(print_llvm(code, ENTRY, summed=True)))
    ports = [Port(name="x", shape=lambda n: (n, 3)), *(Port(name=n, shape=lambda n: (3,), written=True) for n in "abc")]
    entry = Entry(address=loaded.address(ENTRY), n_sizes=1, ports=ports, owner=loaded, workspace=8 * 24)
    x = np.random.default_rng(2).normal(size=(13, 3))
    once, twice, read = np.empty((3, 3))
    entry((13,), (x, once, twice, read))
    np.testing.assert_allclose([once, read], [x.sum(0), x.sum(0)], rtol=1e-14)
    np.testing.assert_allclose(twice[:2], [x[:, 2].sum(), x[:, 1].sum()], rtol=1e-14)


def test_lanes_over_samples_are_taken_where_they_are_quicker_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    sound = samples.SampleSums.__call__

    def counted(self: samples.SampleSums, rows: samples.SampleRows, theta: np.ndarray, *rest: object) -> None:
        taken.append(len(theta))
        sound(self, rows, theta, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(samples.SampleSums, "__call__", counted)
    many, few = compile_kernel(network(50)), compile_kernel(network(8))
    for n in (0, 1, FEW_POINTS, FEW_POINTS + 1):
        many.gradient(np.zeros((n, many.n_parameters)))
        few.gradient(np.zeros((n, few.n_parameters)))
        many.hessian(np.zeros((n, many.n_parameters)))
    assert taken == [1, FEW_POINTS]
    monkeypatch.undo()
    # Of 9,000 products one point of a gradient is too little, and of a product, which is twice as much, enough.
    little, more, much = network(170, hidden=(8,)), network(500, hidden=(8,)), network(999, hidden=(40,))
    fewest = [[few_points(spec, want) for want in (("gradient",), ("product",))] for spec in (little, more, much)]
    assert fewest == [[0, 1], [2, 3], [FEW_POINTS, FEW_POINTS]]


def test_results_go_where_they_are_wanted_and_other_data_are_taken() -> None:
    spec = network(45)
    other = network(45, seed=1).with_(penalty=Fraction(2, 3))
    kernel = compile_kernel(spec, runtime_data=True)
    agree(kernel, 2)
    agree(kernel.bind(other), 2)
    agree(kernel, 1)
    theta = np.random.default_rng(1).normal(size=(2, spec.n_parameters))
    wanted, kept = kernel.gradient(theta.copy()), theta.copy()
    assert np.array_equal(kernel.gradient(theta, out=theta), wanted)
    strided = np.repeat(kept, 2, axis=1)[:, ::2]
    assert np.array_equal(kernel.gradient(strided), wanted)
    frozen = np.empty_like(wanted)
    frozen.flags.writeable = False
    with pytest.raises(KernelError, match="writeable"):
        kernel.gradient(kept, out=frozen)
    call = kernel.fixed("value", "gradient", points=2)
    call.theta[...] = kept
    call()
    assert np.array_equal(call.gradient, wanted)


def test_a_kernel_of_many_samples_is_verified_and_a_wrong_recording_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify_kernel(compile_kernel(network(33, "logistic", hidden=(1,)))).verdict is Verdict.CERTIFIED
    group = samples._group(33, GROUPS)
    sound, other = checks.check_recording, build_program(network(group, hidden=(2,), activation="sin"), ("gradient",))
    monkeypatch.setattr(checks, "check_recording", lambda program, code: sound(other, code))
    with pytest.raises(VerificationError, match="not its program"):
        compile_kernel(network(33, hidden=(2,)), cache=False).gradient(np.zeros((1, 17)))
