"""Does width go with generalisation? Test error against local entropy over many minima of iris, or of digits.

    python examples/width.py iris FOLDER
    python examples/width.py digits FOLDER

A part of the samples trains a network, the rest tests it. Descents (L-BFGS) from random starts of several scales end in
minima; Newton's method finishes them. `symland.ask` measures the width of each. Digits are scikit-learn's;
pixels that are the same in all training samples are left out.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits, load_iris

import symland
from symland.explore import stationary_point
from symland.figures import save_figure

SETTINGS = {
    # hidden layers, penalty, training samples, starts, sigma, temperature
    "iris": ((6, 4), "1e-5", 45, 120, "0.05", "0.01"),
    "digits": ((10, 10), "1e-4", 400, 16, "0.02", "0.1"),
}


EXACT = {"maxiter": 20_000, "maxfun": 1_000_000, "gtol": 1e-8, "ftol": 1e-16, "maxcor": 40}
"""Of L-BFGS: until the gradient has vanished."""


def write(path: Path, inputs: np.ndarray, labels: np.ndarray) -> None:
    """A CSV file of samples."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"x{k + 1}" for k in range(inputs.shape[1])), "label"])
        rows.writerows([*row, label] for row, label in zip(inputs.tolist(), labels.tolist(), strict=True))


def find_minima(kernel: symland.CompiledKernel, group: object, starts: int, seed: int) -> list[symland.StationaryPoint]:
    """Minima that descents from random starts end in, the lowest first, each once."""
    rng, found = np.random.default_rng(seed), []
    for number in range(starts):
        theta = rng.normal(size=kernel.spec.n_parameters) * (0.1, 0.3, 1.0)[number % 3]

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = kernel.value_gradient(x[None])
            return float(value[0]), gradient[0]

        theta = minimize(loss, theta, jac=True, method="L-BFGS-B", options=EXACT).x
        for _ in range(3):
            gradient, hessian = kernel.gradient(theta[None])[0], kernel.hessian(theta[None])[0]
            theta = theta - np.linalg.solve(hessian, gradient)
        point = stationary_point(kernel, group, theta)
        new = all(abs(point.loss - other.loss) > 1e-9 for other in found)
        if point.index == 0 and point.gradient_norm < 1e-9 and not point.nullity and new:
            found.append(point)
    return sorted(found, key=lambda point: point.loss)


def main(name: str, folder: str) -> None:
    """Find minima, measure them, and draw test error against width."""
    hidden, penalty, count, starts, sigma, temperature = SETTINGS[name]
    data = {"iris": load_iris, "digits": load_digits}[name]()
    inputs = data.data if name == "iris" else data.data / 16
    order = np.random.default_rng(0).permutation(len(inputs))
    inputs = inputs[:, np.ptp(inputs[order[:count]], axis=0) > 0]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    write(place / "train.csv", inputs[order[:count]], data.target[order[:count]])
    write(place / "test.csv", inputs[order[count:]], data.target[order[count:]])
    layers = ", ".join(map(str, hidden))
    (place / f"{name}.toml").write_text(
        f'[network]\nhidden = [{layers}]\n\n[data]\ncsv = "train.csv"\n\n[loss]\npenalty = "{penalty}"\n'
    )
    spec = symland.load_spec(place / f"{name}.toml")
    group = symland.find_symmetry(spec, verify=False)
    points = find_minima(symland.compile_kernel(spec), group, starts, seed=1)
    landscape = symland.Landscape(spec=spec, points=tuple(points))
    asked = symland.ask(
        landscape, "flatness", sigma=sigma, temperature=temperature, samples=4000, test=str(place / "test.csv")
    )
    print(f"{len(points)} minima of a {'-'.join(map(str, spec.widths))} network, P = {spec.n_parameters}")
    print(asked.sentence)
    for key, figure in asked.figures().items():
        save_figure(figure, place, key, ("png",))


if __name__ == "__main__":
    main(*sys.argv[1:])
