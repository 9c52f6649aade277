"""What the tests of explorers share."""

import pytest


@pytest.fixture
def build(request):
    """Build explorers of the module under test by their name in its `examples`, and close them afterwards."""
    made = []

    def builder(name):
        made.append(request.module.explorers.examples()[name]())
        return made[-1]

    yield builder
    for explorer in made:
        explorer.close()


@pytest.fixture(scope="module")
def built(request):
    """Every explorer of the module under test, by name, built once for all tests of the file."""
    made = {name: build() for name, build in request.module.explorers.examples().items()}
    yield made
    for explorer in made.values():
        explorer.close()
