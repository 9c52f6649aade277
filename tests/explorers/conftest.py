"""What the tests of explorers share."""

import pytest


@pytest.fixture(scope="module")
def built(request):
    """Every explorer of the module under test, by name, built once for all tests of the file."""
    made = {name: build() for name, build in request.module.explorers.examples().items()}
    yield made
    for explorer in made.values():
        explorer.close()


@pytest.fixture
def build(built):
    """Put explorers of the module under test at their opening, by their name in its `examples`."""

    def builder(name):
        built[name].reset()
        return built[name]

    return builder
