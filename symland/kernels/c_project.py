"""What stands beside exported C: a program that calls it, and files for CMake and pkg-config."""

from __future__ import annotations

import re

import numpy as np

from symland.kernels.c99 import plain
from symland.kernels.kernel import data_of
from symland.kernels.lanes import Kind, LaneCode
from symland.spec import LandscapeSpec

__all__ = ["project_files", "stem_of"]

_TAKEN = frozenset(
    re.findall(
        r"\w+",
        "assert complex ctype errno fenv float inttypes iso646 limits locale main math setjmp signal stdarg stdbool "
        "stddef stdint stdio stdlib string tgmath time wchar wctype numpy scipy",
    )
)
"""Names of files that stand for something else in C or Python."""


def stem_of(name: str) -> str:
    """The beginning of the names of files and functions: ASCII letters, digits and underscores; no other header's."""
    stem = re.sub(r"_+", "_", plain(name)).strip("_").lower()
    if not stem or stem[0].isdigit() or stem in _TAKEN:
        return f"kernel_{stem}".rstrip("_")
    return stem


def project_files(spec: LandscapeSpec, stem: str, gradient: LaneCode) -> dict[str, str]:
    """main.c, CMakeLists.txt and a file for pkg-config.

    Parameters
    ----------
    gradient : LaneCode
        Of the function value_gradient.
    """
    return {
        "main.c": _main(spec, stem, gradient),
        "CMakeLists.txt": _cmake(stem),
        f"{stem}.pc": _pkg_config(spec, stem),
    }


def _main(spec: LandscapeSpec, stem: str, gradient: LaneCode) -> str:
    names = [plain(b.name) for b in gradient.named(Kind.DATA)]
    arrays = [
        f"    static const double {name}[] = {{{', '.join(repr(float(v)) for v in np.ravel(values))}}};"
        for name, values in zip(names, data_of(spec), strict=False)
    ]
    arguments = ", ".join(["1", "work", *names, "theta", "&value", "gradient"])
    lines = "\n".join
    p = f"{stem.upper()}_PARAMETERS"
    return f"""\
/* The loss and its gradient at one point, and the self-test; exit status 0 if it passes.

   cc -std=c99 -O2 main.c {stem}.c {stem}_self_test.c -lm -o {stem}_main && ./{stem}_main */
#include "{stem}.h"

#include <stdio.h>

int main(void) {{
{lines([*arrays, ""]) if arrays else ""}\
    static double work[{stem.upper()}_WORK];
    double theta[{p}], value, gradient[{p}];
    for (int k = 0; k < {p}; k++)
        theta[k] = 0.1 * (k + 1);
    {stem}_value_gradient({arguments});
    printf("value %.17g\\n", value);
    for (int k = 0; k < {p}; k++)
        printf("gradient[%d] %.17g\\n", k, gradient[k]);
    const int wrong = {stem}_self_test();
    printf("self-test: %d outputs are wrong\\n", wrong);
    return wrong != 0;
}}
"""


def _cmake(stem: str) -> str:
    return f"""\
# cmake -B build && cmake --build build && ctest --test-dir build && cmake --install build --prefix DIR
cmake_minimum_required(VERSION 3.10)
project({stem} LANGUAGES C)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library({stem} {stem}.c {stem}_self_test.c)
set_target_properties({stem} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
target_include_directories({stem} PUBLIC $<BUILD_INTERFACE:${{CMAKE_CURRENT_SOURCE_DIR}}> $<INSTALL_INTERFACE:include>)
if(UNIX)
  target_link_libraries({stem} PUBLIC m)
endif()

add_executable({stem}_main main.c)
target_link_libraries({stem}_main PRIVATE {stem})
enable_testing()
add_test(NAME self_test COMMAND {stem}_main)

install(TARGETS {stem} ARCHIVE DESTINATION lib LIBRARY DESTINATION lib RUNTIME DESTINATION bin)
install(FILES {stem}.h DESTINATION include)
install(FILES {stem}.pc DESTINATION lib/pkgconfig)
"""


def _pkg_config(spec: LandscapeSpec, stem: str) -> str:
    return f"""\
prefix=${{pcfiledir}}/../..
libdir=${{prefix}}/lib
includedir=${{prefix}}/include

Name: {stem}
Description: loss, gradient and Hessian of a neural network, P = {spec.n_parameters}
Version: {spec.digest[:12]}
Libs: -L${{libdir}} -l{stem} -lm
Cflags: -I${{includedir}}
"""
