"""From a network to a certified minimum, step by step."""

import symland

spec = symland.load_spec("xor", hidden=(1,), penalty="1e-2")

kernel = symland.compile_kernel(spec)
group = symland.find_symmetry(spec)
found = symland.explore(kernel, group)
landscape = symland.Landscape(spec=spec, points=found.points)
print(landscape)

lowest = found.points[0]
refined = symland.refine(spec, lowest.theta.tolist(), digits=40)
certificate = symland.certify(spec, refined)
print("loss:", refined.loss)
print("index:", certificate.index, certificate.verdict.value)

report = symland.check_embedding(spec, found.points, nodes=1)
for point in report.points:
    print(f"loss {point.loss:.8f}: index {point.index_before} -> {point.index_after} with one more node")
