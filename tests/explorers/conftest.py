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
