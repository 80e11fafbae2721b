"""docs/permissions.md says what really holds, for every role, action, route and table."""

import os
import threading
from pathlib import Path

import pytest
import yaml
from werkzeug.serving import make_server

from tests.permissions import matrix
from tests.permissions.world import World

PAGE = Path(__file__).parent.parent.parent / "docs" / "permissions.md"


@pytest.fixture
def base_url(app):
    running = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def test_every_operation_of_the_contract_is_tried_or_left_out_for_a_reason():
    document = yaml.load((PAGE.parent.parent / "openapi.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    operations = [
        one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one
    ]
    assert matrix.untried(operations) == []


@pytest.mark.slow
def test_the_committed_permission_tables_are_the_ones_that_hold(app, client, db_session, base_url):
    found = matrix.page(matrix.Matrix(app, World(client, db_session), db_session, base_url))
    if os.environ.get("WRITE_PERMISSIONS"):
        PAGE.write_text(found, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == found, "run `make permissions` and look at every cell that changed"
